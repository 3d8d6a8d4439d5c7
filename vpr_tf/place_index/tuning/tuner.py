"""Measures ways to search an index, and sets the fastest one that finds enough."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import platform
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vpr_tf.atomic_files import replace_file, write_json
from vpr_tf.place_index.changes import rebuild
from vpr_tf.place_index.layout import TUNING_FOLDER, index_path
from vpr_tf.place_index.manifest import IndexManifest
from vpr_tf.place_index.recall import RECALL_QUERIES, without_own
from vpr_tf.place_index.tuning.candidates import Candidate, candidates_of
from vpr_tf.place_index.tuning.figure import draw_tuning
from vpr_tf.place_index.tuning.measurement import (
    RECALL_VALUES,
    Measurement,
    fastest,
    settings_key,
)
from vpr_tf.place_index.tuning.trial import Trial, open_database, run_trial
from vpr_tf.search import Descriptors, ExactIndex, RetrievalError, checked_queries
from vpr_tf.stored_paths import files_inside

FIGURE_FILE = "pareto.png"
_RESULTS_FILE, _TABLE_FILE, _WORK_FOLDER = "results.json", "results.csv", "unfinished"
_FORMAT_VERSION = 1
_NOT_STORED = -1


@dataclass(frozen=True)
class TuningOptions:
    """How an index is tuned; see `PlaceIndex.tune`."""

    min_recall: float = 0.99
    recall_at: int = 1
    kinds: tuple[str, ...] = ("scann",)
    sample: int = 1000
    seed: int = 0
    budget_s: float | None = None
    dry_run: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.min_recall <= 1:
            raise ValueError(
                "`min_recall` must be above 0 and at most 1. Received: "
                f"{self.min_recall}"
            )
        if self.recall_at not in RECALL_VALUES:
            raise ValueError(
                f"`recall_at` must be one of {RECALL_VALUES}. Received: "
                f"{self.recall_at}"
            )
        unknown = set(self.kinds) - {"exact", "scann", "milvus"}
        if unknown:
            raise ValueError(
                "`kinds` must be of exact, scann, milvus. Received: "
                f"{', '.join(sorted(unknown))}"
            )


@dataclass(frozen=True)
class TuningReport:
    """What tuning found.

    Attributes:
        measurements: Of all settings.
        chosen: The fastest with enough recall.
        failed: Names and reasons of structures that could not be measured.
        skipped: Structures for which the time did not suffice.
        changed: Whether the index was changed.
        folder: Of results and figure.
    """

    measurements: list[Measurement]
    chosen: Measurement
    failed: dict[str, str]
    skipped: list[str]
    changed: bool
    folder: Path


def tune(
    index_folder: Path,
    queries: npt.ArrayLike | None,
    origin: str | None,
    options: TuningOptions,
    output: str | Path | None,
    progress: Callable[[str], None] | None,
) -> TuningReport:
    """See `PlaceIndex.tune`."""
    say = progress or _print
    folder = Path(output) if output else index_path(index_folder, TUNING_FOLDER)
    files_inside(folder)  # results are written through no link
    manifest, database = open_database(index_folder)
    if queries is None:
        matrix, own_rows = _sample(database, options)
        origin = f"{len(own_rows)} stored photos (seed {options.seed})"
    else:
        matrix = checked_queries(queries, database.shape[1])
        if not len(matrix):
            raise RetrievalError("`queries` must not be empty. Received: no query")
        own_rows = np.full(len(matrix), _NOT_STORED)
        origin = origin or f"{len(matrix)} queries"
    folder.mkdir(parents=True, exist_ok=True)
    conditions = {
        "descriptors": _descriptors_fingerprint(manifest),
        "queries": _queries_fingerprint(matrix, own_rows),
        "origin_of_queries": origin,
        "num_photos": len(database),
        "machine": machine(),
    }
    results = TuningResults(folder, conditions)
    candidates = candidates_of(options.kinds, *database.shape)
    exact_rows = np.empty((0, 0), np.int64)
    if any(results.of(candidate) is None for candidate in candidates):
        say(f"Exact search of {origin}")
        exact_rows = exact_neighbours(database, matrix, own_rows, max(RECALL_VALUES))
    trials = [
        Trial(
            folder=folder / _WORK_FOLDER,
            index_folder=index_folder,
            generation=manifest.generation,
            candidate=candidate,
            queries=matrix,
            own_rows=own_rows,
            exact_rows=exact_rows,
        )
        for candidate in candidates
    ]
    failed, skipped = _measure_all(trials, results, options.budget_s, say)
    found = [results.of(candidate) or [] for candidate in candidates]
    measurements = [one for measured in found for one in measured]
    chosen = fastest(measurements, options.recall_at, options.min_recall)
    if chosen is None:
        raise RetrievalError("Not even exact search could be measured; see above.")
    draw_tuning(
        measurements,
        chosen,
        folder / FIGURE_FILE,
        recall_at=options.recall_at,
        min_recall=options.min_recall,
        title=f"{len(database):,} photos, {database.shape[1]} values each; {origin}",
    )
    used = [settings_key(part.kind, part.settings) for part in manifest.segments]
    changed = used != [settings_key(chosen.kind, chosen.settings)]
    changed = changed and not options.dry_run
    if changed:
        say(f"Building {chosen.name} in the index")
        # The index may have been changed since; what was chosen still holds for it.
        rebuild(index_folder, RECALL_QUERIES, chosen.kind, chosen.settings or None)
    results.write(chosen)
    return TuningReport(measurements, chosen, failed, skipped, changed, folder)


def exact_neighbours(
    database: Descriptors, queries: np.ndarray, own_rows: np.ndarray, k: int
) -> np.ndarray:
    """Returns the nearest rows without the own ones; k, or all that there are."""
    k = min(k, len(database) - int((own_rows >= 0).any()))
    rows = ExactIndex.build(database).search(queries, k + 1)[1]
    return without_own(rows, own_rows)


def _sample(
    database: Descriptors, options: TuningOptions
) -> tuple[np.ndarray, np.ndarray]:
    """Takes some stored photos as queries; returns descriptors and rows."""
    if len(database) < 2 or options.sample < 1:
        raise RetrievalError(
            "Tuning with stored photos needs at least two of them, and one query. "
            f"Received: {len(database)} photos, {options.sample} queries."
        )
    rng = np.random.default_rng(options.seed)
    count = min(options.sample, len(database))
    rows = np.sort(rng.choice(len(database), count, replace=False))
    return np.ascontiguousarray(database[rows], np.float32), rows


def _measure_all(
    trials: list[Trial],
    results: TuningResults,
    budget_s: float | None,
    say: Callable[[str], None],
) -> tuple[dict[str, str], list[str]]:
    """Runs trials one after the other, as far as the time suffices; the first always.

    Returns:
        What failed and why, and what was skipped.
    """
    failed: dict[str, str] = {}
    skipped: list[str] = []
    started = time.monotonic()
    for number, trial in enumerate(trials, 1):
        candidate = trial.candidate
        name = f"[{number}/{len(trials)}] {candidate.name}"
        spent = time.monotonic() - started
        if results.of(candidate) is not None:
            say(f"{name}: measured before")
            continue
        if budget_s is not None and spent > budget_s and number > 1:
            skipped.append(candidate.name)
            continue
        shutil.rmtree(trial.folder, ignore_errors=True)
        trial.folder.mkdir(parents=True)
        try:
            found = run_trial(trial, lambda text, name=name: say(f"{name}: {text}"))  # type: ignore[misc]
            results.add(candidate, found)
        except (ValueError, ImportError) as error:
            failed[candidate.name] = str(error)
            say(f"{name}: left out: {error}")
        finally:
            shutil.rmtree(trial.folder, ignore_errors=True)
    if skipped:
        say(
            f"After {budget_s:g} s not measured any more: {', '.join(skipped)}. The "
            "same command goes on with them."
        )
    return failed, skipped


class TuningResults:
    """Measurements of candidates, kept so that interrupted tuning continues.

    Those of other descriptors, queries or machines are forgotten.

    Args:
        folder: Folder of the files.
        conditions: JSON-ready; what the measurements hold for.
    """

    def __init__(self, folder: Path, conditions: dict[str, Any]) -> None:
        self._folder = folder
        self._conditions = conditions
        self._known: dict[str, list[Measurement]] = {}
        try:
            written = json.loads((folder / _RESULTS_FILE).read_text())
            if (written["format_version"], written["conditions"]) == (
                _FORMAT_VERSION,
                conditions,
            ):
                self._known = {
                    key: [Measurement.from_dict(one) for one in found]
                    for key, found in written["candidates"].items()
                }
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            self._known = {}

    def of(self, candidate: Candidate) -> list[Measurement] | None:
        """Returns what was measured of a candidate; None if nothing."""
        return self._known.get(_key(candidate))

    def add(self, candidate: Candidate, measurements: list[Measurement]) -> None:
        """Keeps measurements of a candidate."""
        self._known[_key(candidate)] = measurements
        self.write(None)

    def write(self, chosen: Measurement | None) -> None:
        """Writes the files; `chosen` is what the index is to use."""
        known = {
            key: [one.to_dict() for one in found] for key, found in self._known.items()
        }
        write_json(
            self._folder / _RESULTS_FILE,
            {
                "format_version": _FORMAT_VERSION,
                "conditions": self._conditions,
                "chosen": chosen.to_dict() if chosen else None,
                "candidates": known,
            },
        )
        rows = [_flat(one) for found in known.values() for one in found]
        with (
            replace_file(self._folder / _TABLE_FILE) as temporary,
            temporary.open("w", newline="") as file,
        ):
            writer = csv.DictWriter(file, rows[0] if rows else ())
            writer.writeheader()
            writer.writerows(rows)


def machine() -> str:
    """Describes this computer: times of another one are of no use.

    Its name is told apart and not told: the index is passed on.
    """
    name = hashlib.sha256(platform.node().encode()).hexdigest()[:8]
    return f"{name}, {platform.machine()}, {os.cpu_count()} CPUs"


def _flat(measurement: dict[str, Any]) -> dict[str, Any]:
    recalls = {f"recall_{n}": value for n, value in measurement["recalls"].items()}
    settings = json.dumps(measurement["settings"])
    flat = {**measurement, **recalls, "settings": settings}
    return {name: value for name, value in flat.items() if name != "recalls"}


def _key(candidate: Candidate) -> str:
    return settings_key(
        candidate.kind, {"build": candidate.settings, "searches": candidate.searches}
    )


def _descriptors_fingerprint(manifest: IndexManifest) -> str:
    """Of the descriptors, whatever the search structure is."""
    digest = hashlib.sha256()
    for segment in manifest.segments:
        digest.update(segment.files["descriptors.npy"].sha256.encode())
    if manifest.removed is not None:
        digest.update(manifest.removed.sha256.encode())
    return digest.hexdigest()


def _queries_fingerprint(queries: np.ndarray, own_rows: np.ndarray) -> str:
    digest = hashlib.sha256(np.ascontiguousarray(queries).data)
    digest.update(np.ascontiguousarray(own_rows).data)
    return digest.hexdigest()


def _print(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
