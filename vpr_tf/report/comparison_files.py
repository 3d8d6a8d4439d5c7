"""The files of a comparison: page, figures, tables, numbers."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path

from vpr_tf.atomic_files import replace_file, write_json
from vpr_tf.csv_files import csv_writer, name_cell
from vpr_tf.data.prepared_dataset import PreparedDataset
from vpr_tf.report.comparison import (
    ChangedQuery,
    Comparison,
    compare,
    recall_symbol,
)
from vpr_tf.report.dot_plot import DotRow, dot_plot
from vpr_tf.report.errors import ReportError
from vpr_tf.report.figure_style import Drawing, write_figures
from vpr_tf.report.page import write_page
from vpr_tf.report.stored_report import StoredReport, find_reports
from vpr_tf.report.tables import MOST_ROWS, cap_note, identity_table
from vpr_tf.tables import UNKNOWN, Column, Table


def compare_runs(
    first: str | Path,
    second: str | Path,
    *,
    set_names: Sequence[str] = (),
    output_dir: str | Path | None = None,
    anyway: bool = False,
) -> dict[Path, Comparison]:
    """Compares the reports of two runs and writes what changed.

    Args:
        first: Folder of the first run's reports; see `find_reports`.
        second: Folder of the second run's.
        set_names: Evaluation sets, of which those are compared that both have; empty
            for all of these.
        output_dir: Folder of the results; None for `comparison` beside the second
            run's report.
        anyway: Whether the protocols of the two may differ.

    Returns:
        The comparison of each set, by the folder of its files.

    Raises:
        ReportError: A report is missing or damaged, or the two are not on the same
            queries.
    """
    comparisons = {}
    for reports in _pairs(Path(first), Path(second), set_names, anyway):
        comparison = compare(*reports, anyway=anyway)
        folder = reports[1].folder / "comparison"
        if output_dir is not None:
            folder = Path(output_dir) / reports[1].identity.set_name
            if folder in comparisons:  # of another dataset
                folder /= reports[1].identity.dataset_fingerprint[:8]
        write_comparison(comparison, folder)
        # Not at the top: its pictures import TensorFlow.
        from vpr_tf.report.comparison_pictures import dataset_at_hand

        dataset = dataset_at_hand(reports)
        write_comparison_html(comparison, reports, folder, dataset=dataset)
        comparisons[folder] = comparison
    return comparisons


def _pairs(
    first: Path, second: Path, set_names: Sequence[str], anyway: bool
) -> list[tuple[StoredReport, StoredReport]]:
    """Pairs the reports of two runs on the same set of the same dataset.

    Where a set was evaluated once by each, these are a pair whatever their datasets
    are, so that it is said why they cannot be compared.
    """
    firsts, seconds = _by_set(find_reports(first)), _by_set(find_reports(second))
    names = list(set_names) or [name for name in firsts if name in seconds]
    pairs: list[tuple[StoredReport, StoredReport]] = []
    for name in names:
        ones, others = firsts.get(name, []), seconds.get(name, [])
        pairs += [
            (one, other)
            for one in ones
            for other in others
            if (len(ones) == len(others) == 1 and not anyway)
            or one.identity.dataset_fingerprint == other.identity.dataset_fingerprint
        ]
    if not pairs:
        wanted = f"; wanted: {', '.join(set_names)}" if set_names else ""
        raise ReportError(
            "Both runs must have reports on the same sets of the same dataset. "
            f"Received: {', '.join(firsts)} in {first} and {', '.join(seconds)} in "
            f"{second}{wanted}"
        )
    return pairs


def _by_set(reports: Sequence[StoredReport]) -> dict[str, list[StoredReport]]:
    found: dict[str, list[StoredReport]] = {}
    for report in reports:
        found.setdefault(report.identity.set_name, []).append(report)
    return found


def write_comparison(comparison: Comparison, folder: Path) -> None:
    """Writes comparison.json, comparison.md, comparison.tex and changed_queries.csv.

    Args:
        comparison: What changed.
        folder: Existing or new folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "comparison.json", comparison.to_dict())
    tables = (
        identity_table(comparison.first, comparison.second),
        difference_table(comparison),
    )
    for name, text in (
        ("comparison.md", comparison_markdown(comparison)),
        ("comparison.tex", "\n\n".join(table.to_latex() for table in tables) + "\n"),
    ):
        with replace_file(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
    with (
        replace_file(folder / "changed_queries.csv") as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv_writer(file)
        writer.writerow([field.name for field in dataclasses.fields(ChangedQuery)])
        for query in comparison.changed:
            texts = ("" if math.isnan(m) else f"{m:.2f}" for m in _distances(query))
            writer.writerow([name_cell(query.key), query.change, *texts])


def comparison_markdown(comparison: Comparison, max_changed: int | None = None) -> str:
    """Returns the comparison as text.

    Args:
        comparison: What changed.
        max_changed: Changed queries that are listed; None for all.
    """
    changed = changed_table(comparison, max_changed)
    more = len(comparison.changed) - len(changed.rows)
    parts = [
        f"# {comparison.first.set_name}: second against first",
        identity_table(comparison.first, comparison.second).to_markdown(),
        difference_table(comparison).to_markdown(),
        changed.to_markdown(),
        *([f"{more:,} more changed."] if more else []),
    ]
    return "\n\n".join(parts) + "\n"


def difference_table(comparison: Comparison) -> Table:
    """Returns the numbers of both runs, with what chance has to do with it."""
    settings = comparison.bootstrap
    symbol = recall_symbol(comparison.first, comparison.second)
    threshold = f"{comparison.positive_dist_threshold_m:g} m"
    note = (
        f"Of {comparison.num_queries:,} queries of known position. Differences are "
        f"second minus first; in brackets: {settings.level:.0%} intervals, paired "
        f"percentile bootstrap over the queries, {settings.num_resamples:,} resamples, "
        f"seed {settings.seed}. {symbol}@1 at {threshold}: "
        f"{comparison.num_gained:,} gained, "
        f"{comparison.num_lost:,} lost, exact McNemar test p = "
        f"{p_value(comparison.mcnemar_p)}; errors: Wilcoxon signed-rank test p = "
        f"{p_value(comparison.wilcoxon_p)}."
    )
    protocols = comparison.first.protocol, comparison.second.protocol
    if protocols[0] != protocols[1]:
        note = (
            f"The runs are of two protocols, {protocols[0]} and {protocols[1]}: these "
            f"numbers are of the queries that count by both. {note}"
        )
    rows = [
        [f"{part.name}, {part.unit}", part.first, part.second, part.difference]
        for part in comparison.differences
    ]
    numbers = map(Column, ("first", "second", "difference"))
    return Table("Differences", [Column("", "text"), *numbers], rows, note)


def changed_table(comparison: Comparison, most: int | None = None) -> Table:
    """Returns the gained and lost queries.

    Args:
        comparison: What changed.
        most: Rows; None for all.
    """
    columns = [Column("query", "name"), Column("change", "state")]
    columns += [
        Column(f"{what}, {run} run", "metres")
        for what in ("first match", "error")
        for run in ("first", "second")
    ]
    rows = [
        [query.key, query.change, *_distances(query)]
        for query in comparison.changed[:most]
    ]
    note = "No query changed."
    if comparison.changed:
        note = (
            "Gained or lost: the first match lies within "
            f"{comparison.positive_dist_threshold_m:g} m for one run alone. The error "
            "is that of the estimated position, for which several matches may stand, "
            "so it may stay the same."
        )
    return Table("Changed queries", columns, rows, note)


def _distances(query: ChangedQuery) -> tuple[float, float, float, float]:
    """Returns the metres of a changed query, the first match's before the errors."""
    return (
        query.first_match_m,
        query.second_match_m,
        query.first_error_m,
        query.second_error_m,
    )


def p_value(p: float) -> str:
    """Returns a p-value as text, a dash when it is unknown."""
    if math.isnan(p):
        return UNKNOWN
    return f"{p:.2g}" if p < 0.01 else f"{p:.3f}"


def write_comparison_html(
    comparison: Comparison,
    reports: Sequence[StoredReport],
    folder: str | Path,
    *,
    dataset: PreparedDataset | None = None,
    max_pictures: int = 20,
) -> Path:
    """Writes comparison.html and figures/*.png.

    Args:
        comparison: What changed.
        reports: Of the first and the second run.
        folder: Existing or new folder.
        dataset: What both were measured on; None leaves out the pictures.
        max_pictures: Gained queries, and lost ones, that are shown with pictures.

    Returns:
        The page.

    Raises:
        OSError: A file cannot be written.
    """
    folder, set_name = Path(folder), comparison.first.set_name
    figures = difference_figures(comparison)
    write_figures(figures, folder / "figures")
    pictures = None
    if dataset is not None:
        from vpr_tf.report.comparison_pictures import changed_pictures

        pictures = changed_pictures(comparison, reports, dataset, max_pictures)
    return write_page(
        "comparison.html.j2",
        folder / "comparison.html",
        title=f"{dataset.path.name}: {set_name}" if dataset else set_name,
        comparison=comparison,
        identities=identity_table(comparison.first, comparison.second),
        figures=figures,
        differences=difference_table(comparison),
        pictures=pictures,
        changed=changed_table(comparison, MOST_ROWS),
        more=cap_note(len(comparison.changed), "changed_queries.csv"),
    )


def difference_figures(comparison: Comparison) -> list[Drawing]:
    """Returns a figure of the differences for each unit, percent and metres."""
    figures = []
    for unit, name, what in (
        ("%", "recall_differences", "recall"),
        ("m", "error_differences", "error"),
    ):
        behind = "" if unit == "%" else f" {unit}"
        rows = [
            DotRow(part.name, part.difference, f"{part.difference.value:+.1f}{behind}")
            for part in comparison.differences
            if part.unit == unit and math.isfinite(part.difference.value)
        ]
        if rows:
            title = f"Change of the {what}, second run minus first"
            label = f"difference ({'percentage points' if unit == '%' else unit})"
            figures.append(dot_plot(name, title, rows, xlabel=label, reference=0))
    return figures
