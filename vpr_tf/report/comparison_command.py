"""What `vpr compare` does."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path

from vpr_tf.atomic_files import replace_file, write_json
from vpr_tf.report.comparison import (
    ChangedQuery,
    Comparison,
    Difference,
    compare,
    recall_symbol,
)
from vpr_tf.report.errors import ReportError
from vpr_tf.report.identity import Identity
from vpr_tf.report.markdown_table import interval, markdown_table, number
from vpr_tf.report.stored_report import StoredReport, find_reports, read_report


def run_comparison(
    first: str | Path,
    second: str | Path,
    *,
    set_names: Sequence[str] = (),
    output_dir: str | Path | None = None,
) -> list[Comparison]:
    """Compares the reports of two runs, prints tables and writes them.

    Args:
        first: Folder of the first run's reports; see `find_reports`.
        second: Folder of the second run's.
        set_names: Evaluation sets; empty for all that both have.
        output_dir: Folder of the results; None for `comparison` beside the second
            run's report.

    Raises:
        ReportError: A report is missing or damaged, or the two are not on the same
            queries.
    """
    firsts, seconds = find_reports(Path(first)), find_reports(Path(second))
    names = list(set_names) or [name for name in firsts if name in seconds]
    missing = [name for name in names if name not in firsts or name not in seconds]
    if missing or not names:
        raise ReportError(
            "Both runs must have reports on the same sets. Received: "
            f"{', '.join(firsts)} in {first} and {', '.join(seconds)} in {second}"
            + (f"; asked for {', '.join(missing)}" if missing else "")
        )
    comparisons = []
    for name in names:
        reports = [read_report(paths[name]) for paths in (firsts, seconds)]
        comparison = compare(*reports)
        folder = seconds[name] / "comparison"
        if output_dir is not None:
            folder = Path(output_dir) / name
        print(comparison_markdown(comparison, max_changed=10))
        write_comparison(comparison, folder)
        _write_page(comparison, reports, folder)
        print(f"Comparison: {folder / 'comparison.html'}")
        comparisons.append(comparison)
    return comparisons


def _write_page(
    comparison: Comparison, reports: Sequence[StoredReport], folder: Path
) -> None:
    # Not at the top: its pictures import TensorFlow, the tables need not wait for it.
    from vpr_tf.report.comparison_page import write_comparison_html
    from vpr_tf.report.comparison_pictures import dataset_at_hand

    dataset = dataset_at_hand(reports)
    write_comparison_html(comparison, reports, folder, dataset=dataset)


def write_comparison(comparison: Comparison, folder: Path) -> None:
    """Writes comparison.json, comparison.md and changed_queries.csv.

    Args:
        comparison: What changed.
        folder: Existing or new folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "comparison.json", comparison.to_dict())
    with replace_file(folder / "comparison.md") as temporary:
        temporary.write_text(comparison_markdown(comparison), encoding="utf-8")
    with (
        replace_file(folder / "changed_queries.csv") as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["key", "change", "first_error_m", "second_error_m"])
        writer.writerows(_cells(query) for query in comparison.changed)


def comparison_markdown(comparison: Comparison, max_changed: int | None = None) -> str:
    """Returns the comparison as text.

    Args:
        comparison: What changed.
        max_changed: Changed queries that are listed; None for all.
    """
    first, settings = comparison.first, comparison.bootstrap
    threshold = f"{comparison.positive_dist_threshold_m:g} m"
    second = comparison.second
    same = first.known == second.known
    shared = f", {first.known}" if same else ""

    def own(run: Identity) -> str:
        return "" if same else f", {run.known}"

    symbol = recall_symbol(first, second)
    facts = [
        f"- set: {first.set_name}, {comparison.num_queries:,} queries of known "
        f"position{shared}",
        f"- dataset: {first.dataset_fingerprint[:12]}",
        *(
            f"- {name}: {run.encoder}, {run.encoder_fingerprint[:12]}; images: "
            f"{run.preprocessing}; search: {run.search}{own(run)}"
            for name, run in (("first", first), ("second", second))
        ),
    ]
    explanation = (
        f"Differences are second minus first; in brackets: {settings.level:.0%} "
        "intervals, paired percentile bootstrap over the queries, "
        f"{settings.num_resamples:,} resamples, seed {settings.seed}."
    )
    rows = [_row(difference) for difference in comparison.differences]
    tests = [
        f"- {symbol}@1 at {threshold}: {comparison.num_gained:,} gained, "
        f"{comparison.num_lost:,} lost, exact McNemar test p = "
        f"{p_value(comparison.mcnemar_p)}",
        f"- errors: Wilcoxon signed-rank test p = {p_value(comparison.wilcoxon_p)}",
    ]
    parts = [
        f"# {first.set_name}: second against first",
        "\n".join(facts),
        explanation,
        markdown_table(["", "first", "second", "difference"], rows),
        "\n".join(tests),
        *_changed(comparison, max_changed),
    ]
    return "\n\n".join(parts) + "\n"


def p_value(p: float) -> str:
    """Returns a p-value as text, `-` when it is unknown."""
    if math.isnan(p):
        return "-"
    return f"{p:.2g}" if p < 0.01 else f"{p:.3f}"


def _row(difference: Difference) -> list[str]:
    return [
        f"{difference.name}, {difference.unit}",
        number(difference.first),
        number(difference.second),
        interval(difference.difference),
    ]


def _changed(comparison: Comparison, most: int | None) -> list[str]:
    changed = comparison.changed[:most]
    if not changed:
        return ["No query changed."]
    header = ["query", "change", "first error, m", "second error, m"]
    parts = [markdown_table(header, [_cells(query) for query in changed])]
    more = len(comparison.changed) - len(changed)
    if more:
        parts.append(f"{more:,} more changed.")
    return parts


def _cells(query: ChangedQuery) -> list[str]:
    errors = (query.first_error_m, query.second_error_m)
    texts = ("" if math.isnan(error) else f"{error:.2f}" for error in errors)
    return [query.key, query.change, *texts]
