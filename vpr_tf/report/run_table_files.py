"""The files of a table of runs: markdown, LaTeX, CSV, JSON and a figure for each N."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vpr_tf.atomic_files import replace_file, write_json
from vpr_tf.csv_files import csv_writer, name_cell
from vpr_tf.report.comparison_files import p_value
from vpr_tf.report.dot_plot import DotRow, dot_plot
from vpr_tf.report.figure_style import RUN_COLOURS, Drawing
from vpr_tf.report.run_table import (
    RECALL_VALUES,
    RunCell,
    RunRecall,
    RunRow,
    RunTable,
)
from vpr_tf.report.set_columns import SetColumn
from vpr_tf.report.table_files import tables_markdown, write_tables
from vpr_tf.tables import UNKNOWN, Column, Interval, Table, counted, told_apart

_FILES = "runs"  # runs.md, runs.tex, runs.csv, runs.json
_LONGEST_LABEL = 30  # in a figure
_SET_FIELDS = ("set", "dataset_fingerprint", "protocol", "positive_dist_threshold_m")
_RECALL_FIELDS = ("n", "recall", "low", "high", "deviation")
_PAIR_FIELDS = ("difference", "difference_low", "difference_high", "paired_queries")
_CHANGE_FIELDS = ("gained", "lost", "mcnemar_p")


def write_run_table(table: RunTable, folder: str | Path) -> list[Path]:
    """Writes runs.md, .tex, .csv and .json, and recall_at_<N>.png for each N.

    The same reports give the same bytes. Nothing else in the folder is touched.

    Args:
        table: The runs.
        folder: Existing or new folder.

    Returns:
        The files.

    Raises:
        OSError: A file cannot be written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    files = write_tables(run_tables(table), folder / _FILES)
    files += [folder / f"{_FILES}.{ending}" for ending in ("csv", "json")]
    _write_csv(table, files[2])
    write_json(files[3], table.to_dict())
    return files + [figure.write_png(folder) for figure in recall_figures(table)]


def run_table_markdown(table: RunTable) -> str:
    """Returns the tables as text."""
    return tables_markdown(run_tables(table))


def run_tables(table: RunTable) -> list[Table]:
    """Returns the recalls, the tests against the baseline, and what the runs are."""
    tables = [recall_table(table)]
    if len(table.rows) > 1:
        tables.append(baseline_table(table))
    return [*tables, identity_of_runs(table)]


# === Tables ===


def recall_table(table: RunTable) -> Table:
    """Returns a row a run, with recall@1 and recall@5 of each set."""
    columns = [Column("run", "name")]
    columns += [Column("seeds")] if table.is_grouped else []
    columns += [
        Column(f"{column.name} {column.symbol}@{n}")
        for column in table.columns
        for n in RECALL_VALUES
    ]
    rows = []
    for row in table.rows:
        seeds = [len(row.seeds)] if table.is_grouped else []
        values = [_shown(row, cell, n) for cell in row.cells for n in RECALL_VALUES]
        rows.append([row.name, *seeds, *values])
    return Table("Recall (%)", columns, rows, _recall_note(table))


def _shown(row: RunRow, cell: RunCell | None, n: int) -> Interval | str | None:
    """Returns a recall with its interval, or a mean with the deviation over seeds."""
    recall = cell.recall(n) if cell is not None else None
    if cell is None or recall is None:
        return None
    few = f" ({cell.num_runs} of {len(row.seeds)} seeds)" * (
        cell.num_runs < len(row.seeds)
    )
    if cell.num_runs == 1:
        if not few:
            return recall.value
        return f"{recall.value.value:.1f}{few}"
    return f"{recall.value.value:.1f} ± {recall.deviation:.1f}{few}"


def _recall_note(table: RunTable) -> str:
    cells = [cell for row in table.rows for cell in row.cells if cell is not None]
    metres = sorted({cell.positive_dist_threshold_m for cell in cells})
    notes = [
        f"Within {' or '.join(f'{m:g}' for m in metres)} m. In brackets: "
        f"{table.bootstrap.level:.0%} intervals, Wilson's, over the queries."
    ]
    if table.is_grouped:
        notes.append(
            "Several seeds: the mean and, behind ±, the standard deviation over them."
        )
    for number, column in enumerate(table.columns):
        notes += _column_notes(table, number, column)
    return " ".join(notes)


def _column_notes(table: RunTable, number: int, column: SetColumn) -> Iterator[str]:
    """Yields what must be known of a column: what is missing, what differs."""
    by_name = {row.name: row.cells[number] for row in table.rows}
    missing = [name for name, cell in by_name.items() if cell is None]
    if missing:
        yield f"A dash: no report on {column.name} of {', '.join(missing)}."
    cells = {name: cell for name, cell in by_name.items() if cell is not None}
    for name, cell in cells.items():
        if not cell.num_queries:
            yield f"{name}: no query of {column.name} has a known position."
        unknown = [f"{n}" for n in RECALL_VALUES if cell.recall(n) is None]
        if unknown:
            yield f"{name}: {column.name} was not evaluated at {' and '.join(unknown)}."
    protocols = list(dict.fromkeys(cell.protocol for cell in cells.values()))
    if len(protocols) > 1:
        each = ", ".join(f"{name}: {cell.protocol}" for name, cell in cells.items())
        yield (
            f"The runs on {column.name} are of several protocols, so these recalls are "
            f"not comparable ({each}); pairs are of the queries that count by both."
        )
    if len(column.fingerprints) > 1:
        each = ", ".join(
            f"{name}: {cell.dataset_fingerprint[:8]}" for name, cell in cells.items()
        )
        yield (
            f"The runs on {column.name} are of several datasets, so these recalls are "
            f"not comparable ({each}); only runs on the baseline's are tested."
        )


def baseline_table(table: RunTable) -> Table:
    """Returns each run's difference to the baseline, and how far it may be chance."""
    symbols = dict.fromkeys(column.symbol for column in table.columns)
    symbol = next(iter(symbols)) if len(symbols) == 1 else "R/LR"
    columns = [Column("run", "name"), Column("set", "text"), Column("queries")]
    columns += [Column(f"difference in {symbol}@{n}") for n in RECALL_VALUES]
    columns += [Column("gained"), Column("lost"), Column("McNemar p")]
    rows = [
        _pair_row(row, column, cell)
        for row in table.rows[1:]
        for column, cell in zip(table.columns, row.cells, strict=True)
        if cell is not None and cell.num_paired
    ]
    baseline = table.rows[0].name
    title = f"Against {baseline}"
    if not rows:
        return Table(title, columns, [], f"No run shares queries with {baseline}.")
    settings = table.bootstrap
    tests = sum(row[-1] != UNKNOWN for row in rows)
    note = (
        f"Percentage points, the run minus {baseline}, on the same queries; in "
        f"brackets: {settings.level:.0%} intervals, paired percentile bootstrap over "
        f"the queries, {settings.num_resamples:,} resamples, seed {settings.seed}. "
        "Gained and lost: queries right at rank 1 for one of the two alone; p of the "
        "exact McNemar test on them."
    )
    if tests > 1:
        note += (
            f" With {tests} tests some p below 0.05 are expected by chance: they are "
            "not corrected for it."
        )
    if table.is_grouped:
        note += (
            " Of several seeds the mean of each query is compared: the interval tells "
            "of the choice of the queries, not of the seeds, and there is no p."
        )
    return Table(title, columns, rows, note)


def _pair_row(row: RunRow, column: SetColumn, cell: RunCell) -> list[Any]:
    recalls = [cell.recall(n) for n in RECALL_VALUES]
    return [
        row.name,
        column.name,
        cell.num_paired,
        *(recall.difference if recall else None for recall in recalls),
        cell.num_gained,
        cell.num_lost,
        p_value(cell.mcnemar_p),
    ]


def identity_of_runs(table: RunTable) -> Table:
    """Returns what was measured in each run."""
    heads = ("encoder", "preprocessing", "search")
    columns = [Column("run", "name"), *(Column(head, "text") for head in heads)]
    columns += [Column("seeds", "text")] if table.is_grouped else []
    rows = []
    for row in table.rows:
        parts = (row.encoders, row.preprocessings, row.searches)
        seeds = [", ".join(map(str, row.seeds))] if table.is_grouped else []
        rows.append([row.name, *("; ".join(part) for part in parts), *seeds])
    return Table("Runs", columns, rows)


# === Numbers ===


def _write_csv(table: RunTable, path: Path) -> None:
    """Writes a line for each run, set and N."""
    fields = ("run", "seeds", "runs", *_SET_FIELDS, "queries", *_RECALL_FIELDS)
    with (
        replace_file(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv_writer(file)
        writer.writerow([*fields, *_PAIR_FIELDS, *_CHANGE_FIELDS])
        for row in table.rows:
            for column, cell in zip(table.columns, row.cells, strict=True):
                if cell is None:
                    continue
                for recall in cell.recalls:
                    writer.writerow(_csv_line(row, column, cell, recall))


def _csv_line(
    row: RunRow, column: SetColumn, cell: RunCell, recall: RunRecall
) -> list[Any]:
    at_1 = recall.n == 1  # gained and lost queries are those at rank 1
    changes = (cell.num_gained, cell.num_lost, cell.mcnemar_p)
    return [
        name_cell(row.name),
        " ".join(map(str, row.seeds)),
        cell.num_runs,
        name_cell(column.name),
        cell.dataset_fingerprint,
        name_cell(cell.protocol),
        f"{cell.positive_dist_threshold_m:g}",
        cell.num_queries,
        recall.n,
        *map(_digits, (recall.value.value, recall.value.low, recall.value.high)),
        _digits(recall.deviation),
        *map(_digits, vars(recall.difference).values()),
        cell.num_paired,
        *(_digits(value) if at_1 else "" for value in changes),
    ]


def _digits(value: float | None) -> str:
    """Returns a number as text; empty where it is not known."""
    return "" if value is None or math.isnan(value) else f"{value:.6g}"


# === Figures ===


def recall_figures(table: RunTable) -> list[Drawing]:
    """Returns a figure for each N: the runs below each other, by set."""
    bars = f"bars: {table.bootstrap.level:.0%} intervals"
    if table.is_grouped:
        bars += "; of seeds, ± their deviation"
    figures = []
    for n in RECALL_VALUES:
        rows = [
            row
            for number, column in enumerate(table.columns)
            for row in _dots(table, number, column, n)
        ]
        if rows:
            name, title = f"recall_at_{n}", f"Recall@{n} by set"
            figures.append(dot_plot(name, title, rows, xlabel=f"recall (%)\n{bars}"))
    return figures


def _dots(table: RunTable, number: int, column: SetColumn, n: int) -> Iterator[DotRow]:
    """Yields the runs that have a set; each run has a colour of its own."""
    labels = told_apart((row.name for row in table.rows), _LONGEST_LABEL)
    for place, row in enumerate(table.rows):
        cell = row.cells[number]
        recall = cell.recall(n) if cell is not None else None
        if cell is None or recall is None or math.isnan(recall.value.value):
            continue
        value, note = recall.value, f"{recall.value.value:.1f}"
        if cell.num_runs > 1:
            ends = (value.value + sign * recall.deviation for sign in (-1, 1))
            value = Interval(value.value, *ends)
            note += f" ± {recall.deviation:.1f}, " + counted(
                cell.num_runs, "seed", "seeds"
            )
        colour = RUN_COLOURS[place % len(RUN_COLOURS)]
        yield DotRow(labels[row.name], value, note, column.name, colour)
