"""The files of evaluation sets beside each other: tables, numbers and a figure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vpr_tf.atomic_files import replace_file, write_json
from vpr_tf.csv_files import csv_writer, name_cell
from vpr_tf.report.json_values import json_ready
from vpr_tf.report.set_figure import draw_sets
from vpr_tf.report.set_properties import (
    CELL_SIZE_M,
    MOST_DECODED,
    SECTORS,
    SetProperties,
    SplitProperties,
    middle,
    set_numbers,
    unlike,
)
from vpr_tf.report.table_files import tables_markdown, write_tables
from vpr_tf.tables import UNKNOWN, Column, Table

_FILES = "sets"  # sets.md, sets.tex, sets.csv, sets.json, sets.png


def write_sets(sets: Sequence[SetProperties], folder: str | Path) -> list[Path]:
    """Writes sets.md, .tex, .csv, .json and .png; nothing else there is touched.

    Args:
        sets: What was measured.
        folder: Existing or new folder.

    Raises:
        OSError: A file cannot be written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    files = write_tables(set_tables(sets), folder / _FILES)
    files += [folder / f"{_FILES}.{ending}" for ending in ("csv", "json")]
    _write_csv(sets, files[2])
    write_json(files[3], sets_content(sets))
    return [*files, draw_sets(sets).write_png(folder)]


def sets_content(sets: Sequence[SetProperties]) -> dict[str, Any]:
    """Returns the numbers of the sets as JSON-ready values."""
    content = {
        "sets": [set_numbers(each) for each in sets],
        "unlike_first": {each.name: unlike(sets[0], each) for each in sets[1:]},
    }
    return dict(json_ready(content))


def sets_markdown(sets: Sequence[SetProperties]) -> str:
    """Returns the tables as text."""
    return tables_markdown(set_tables(sets))


def set_tables(sets: Sequence[SetProperties]) -> list[Table]:
    """Returns the photos, the queries, and how unlike the sets are to the first."""
    tables = [photos_table(sets), queries_table(sets)]
    return [*tables, apart_table(sets)] if len(sets) > 1 else tables


# === Tables ===


def photos_table(sets: Sequence[SetProperties]) -> Table:
    """Returns a row for the queries and one for the database of each set."""
    columns = [Column("set", "text"), Column("", "text"), Column("photos")]
    columns += [Column("years", "text"), Column("brightness", digits=2)]
    columns += [Column("dark", digits=0, unit="%"), Column("headings", "text")]
    columns += [Column("km²", digits=2), Column("photos in a cell", digits=0)]
    rows = [
        [
            each.name,
            role,
            split.num_photos,
            _years(split),
            middle(split.luma),
            100 * split.dark_share(each.dark_luma_below),
            _headings(split),
            split.covered_km2 if len(split.per_cell) else None,
            middle(split.per_cell),
        ]
        for each in sets
        for role, split in each.splits.items()
    ]
    return Table("Photos of the sets", columns, rows, _photos_note(sets))


def _years(split: SplitProperties) -> str:
    """Returns `2013 to 2019, median 2016`."""
    known = split.years[~np.isnan(split.years)].astype(int)
    if not len(known):
        return UNKNOWN
    low, high, median = known.min(), known.max(), int(np.median(known))
    return f"{low}" if low == high else f"{low} to {high}, median {median}"


def _headings(split: SplitProperties) -> str:
    """Returns how many are known, and where most look, `all, most N (14%)`."""
    known = int(np.sum(~np.isnan(split.heading_deg)))
    if not known:
        return UNKNOWN
    shares = split.sector_shares
    most = f"most {SECTORS[int(shares.argmax())]} ({100 * shares.max():.0f}%)"
    share = 100 * known / split.num_photos
    return f"{'all' if known == split.num_photos else f'{share:.0f}%'}, {most}"


def _photos_note(sets: Sequence[SetProperties]) -> str:
    dark = sorted({each.dark_luma_below for each in sets})
    notes = [
        "In brackets: between these values lie 8 of 10 photos, or cells. Brightness: "
        "mean luma, 0 black to 1 white; dark: below "
        f"{' or '.join(f'{value:g}' for value in dark)}; of at most "
        f"{MOST_DECODED:,} photos of a split, drawn at random. Headings: how many are "
        f"known, and the fullest of {len(SECTORS)} directions; of photos that look "
        f"everywhere it holds {100 / len(SECTORS):g}%. km²: cells of "
        f"{CELL_SIZE_M:g} m that hold a photo."
    ]
    for each in sets:
        for role, split in each.splits.items():
            if split.num_without_position:
                notes.append(
                    f"{each.name}: {split.num_without_position:,} photos of the {role} "
                    "have no position."
                )
    constant = [
        f"{each.name} {role}"
        for each in sets
        for role, split in each.splits.items()
        if split.headings_are_constant
    ]
    if constant:
        notes.append(
            "All headings are the same, so none was measured, in: "
            f"{', '.join(constant)}."
        )
    return " ".join(notes)


def queries_table(sets: Sequence[SetProperties]) -> Table:
    """Returns how far the queries of each set are from what they are compared with."""
    columns = [Column("set", "text"), Column("nearest database photo", unit=" m")]
    columns += [Column("no positive", unit="%"), Column("positives", digits=0)]
    columns += [Column("years to a positive", digits=0)]
    columns += [Column("turn to a positive", digits=0, unit="°")]
    columns += [Column("nearest train photo", unit=" m")]
    rows = [
        [
            each.name,
            middle(each.nearest_m),
            100 * each.share_without_positives,
            middle(each.num_positives),
            middle(each.year_gap),
            middle(each.heading_gap_deg),
            middle(each.nearest_train_m),
        ]
        for each in sets
    ]
    metres = sorted({each.threshold_m for each in sets})
    note = (
        "Medians; in brackets: between these values lie 8 of 10 queries. Positives: "
        f"database photos within {' or '.join(f'{m:g}' for m in metres)} m; years and "
        "turn: of the positive that is nearest in time, or in direction."
    )
    return Table("Queries of the sets", columns, rows, note)


def apart_table(sets: Sequence[SetProperties]) -> Table:
    """Returns how unlike the first set each other one is, in what they differ most."""
    first, others = sets[0], sets[1:]
    gaps = [unlike(first, each) for each in others]
    rows: list[list[Any]] = [
        [name, *(100 * of_set[name] for of_set in gaps)]
        for name in gaps[0]
        if not all(np.isnan(of_set[name]) for of_set in gaps)
    ]
    rows.sort(key=lambda row: -np.nanmax(row[1:]))
    columns = [Column("", "text")]
    columns += [Column(each.name, digits=0) for each in others]
    note = (
        "0: the same distribution, 100: nothing in common (largest difference of the "
        "cumulative shares, as of Kolmogorov and Smirnov). Where it is large, a choice "
        f"made on {first.name} may be wrong for the other set."
    )
    if not rows:
        note = "Nothing is known of both."
    return Table(f"How unlike {first.name} the sets are", columns, rows, note)


# === Numbers ===


def _write_csv(sets: Sequence[SetProperties], path: Path) -> None:
    """Writes a line for each number of each set."""
    with (
        replace_file(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv_writer(file)
        writer.writerow(("set", "quantity", "value"))
        for content in sets_content(sets)["sets"]:
            name = name_cell(content.pop("name"))
            for quantity, value in _flat(content):
                shown = f"{value:.6g}" if isinstance(value, float) else value
                writer.writerow((name, quantity, "" if value is None else shown))


def _flat(content: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Yields numbers with the names of all above, `queries.brightness.low`."""
    for name, value in content.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value
