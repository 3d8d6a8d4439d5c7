"""What several commands print."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from vpr_tf.cli.main import Outcome
from vpr_tf.csv_files import csv_writer, name_cell
from vpr_tf.photos import PhotoFiles, RejectedPhoto
from vpr_tf.place_index import (
    EncoderIdentity,
    IndexManifest,
    KeptClassifier,
    RecallReport,
)
from vpr_tf.place_index.manifest import read_manifest
from vpr_tf.printable import printable
from vpr_tf.terminal_bar import TerminalBar

_PRINTED_REJECTED = 10


def facts_text(facts: Iterable[tuple[str, object]]) -> str:
    """Returns names and values, one a line; without a name it belongs to the last."""
    named = [
        (f"{name}:" if name else "", printable(str(value))) for name, value in facts
    ]
    width = max(len(name) for name, _ in named)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in named)


def change_outcome(manifest: IndexManifest, text: str) -> Outcome:
    """Returns what an index is after a change.

    Args:
        manifest: Its state.
        text: What was done, for people.
    """
    recall = manifest.recall
    lines = [
        text,
        f"Photos: {manifest.num_photos:,}, generation {manifest.generation}",
        f"Recall against exact search: {recall_text(recall)}",
    ]
    if manifest.advice:
        lines.append(manifest.advice)
    content = {
        "num_photos": manifest.num_photos,
        "generation": manifest.generation,
        "kind": manifest.kind,
        "recall": None if recall is None else dataclasses.asdict(recall),
        "advice": manifest.advice or None,
    }
    return Outcome(content, "\n".join(lines))


def read_bar(index: str | Path) -> TerminalBar:
    """Returns a progress bar over the bytes of an index."""
    total = read_manifest(Path(index)).num_bytes
    return TerminalBar(total=total, unit="B", unit_scale=True, disable=None)


def recall_text(recall: RecallReport | None) -> str:
    """Returns recall in percent."""
    if recall is None:
        return "not measured"
    if not recall.num_queries:
        return "100 %, the search is exact"
    return (
        f"{100 * recall.recall_at_1:.1f} % of the nearest photos, "
        f"{100 * recall.recall_at_10:.1f} % of the 10 nearest "
        f"(of {recall.num_queries} photos)"
    )


def size_text(num_bytes: float) -> str:
    """Returns a number of bytes for people."""
    for unit in ("bytes", "kB", "MB"):
        if num_bytes < 1000:
            return (
                f"{num_bytes:.0f} {unit}"
                if unit == "bytes"
                else (f"{num_bytes:.1f} {unit}")
            )
        num_bytes /= 1000
    return f"{num_bytes:.1f} GB"


def settings_text(manifest: IndexManifest) -> str:
    """Returns the kind of search structure with its settings."""
    if not manifest.segments:
        return manifest.kind
    settings = manifest.segments[0].settings
    values = ", ".join(f"{name} {value}" for name, value in settings.items())
    return f"{manifest.kind} ({values})" if values else manifest.kind


def classifier_text(classifier: KeptClassifier) -> str:
    """Returns what narrows the searches of an index."""
    num_cells = classifier.num_cells
    searched = "all cells" if num_cells is None else f"the best {num_cells:,} cells"
    own = "" if classifier.encoder is None else ", with an encoder of its own"
    return f"{classifier.description} ({searched}, score {classifier.score}{own})"


def preparation_text(encoder: EncoderIdentity) -> str:
    """Returns how photos are prepared for the encoder, and by what it was computed."""
    return f"{encoder.preprocessing}, by {encoder.engine}"


def report_rejected(photos: PhotoFiles, table: Path) -> None:
    """Prints the photos that are not used, and writes a table of all.

    Args:
        photos: The photos.
        table: CSV file with the columns file and reason; an old one is deleted.
    """
    table.unlink(missing_ok=True)
    print_left_out(photos)
    rejected = (*photos.rejected, *photos.excluded)
    if not rejected:
        return
    print_rejected(photos.rejected[:_PRINTED_REJECTED])
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv_writer(file)
        writer.writerow(("file", "reason"))
        writer.writerows(
            map(name_cell, (one.printable_path, one.reason)) for one in rejected
        )
    told = {"cannot be used": photos.rejected, "are left out": photos.excluded}
    counts = [f"{len(some):,} photos {what}." for what, some in told.items() if some]
    print(f"{' '.join(counts)} All reasons: {table}")


def print_left_out(photos: PhotoFiles) -> None:
    """Prints where photos are listed, and how many files beside them are none."""
    if photos.listed_in is not None:
        print(
            f"Photos are those that {printable(str(photos.listed_in))} names.",
            file=sys.stderr,
        )
    if photos.skipped.text:
        print(f"Left out: {photos.skipped.text}.", file=sys.stderr)


def print_rejected(rejected: Sequence[RejectedPhoto]) -> None:
    """Prints photos that cannot be used."""
    for photo in rejected:
        print(printable(f"{photo.path}: {photo.reason}"), file=sys.stderr)
