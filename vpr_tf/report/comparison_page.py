"""comparison.html: what changed from one run to another, in one file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from vpr_tf.atomic_files import replace_file
from vpr_tf.data.prepared_dataset import PreparedDataset
from vpr_tf.report.comparison import Comparison, Difference
from vpr_tf.report.comparison_pictures import changed_cases, evaluation_set_of
from vpr_tf.report.dot_plot import DotRow, dot_plot
from vpr_tf.report.figure_style import Drawing, write_figures
from vpr_tf.report.html import identity_facts
from vpr_tf.report.page_tables import table
from vpr_tf.report.page_template import Section, chart, missing, page, side_by_side
from vpr_tf.report.page_text import (
    breakable,
    count_of,
    metres,
    number,
    safe,
    with_interval,
)
from vpr_tf.report.stored_report import StoredReport

_MOST_ROWS = 500
_NO_PICTURES = (
    "Without pictures: the prepared dataset is not at hand. It is found by the "
    "config.yaml of the run folder that a report lies in."
)


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
    folder = Path(folder)
    drawings = difference_drawings(comparison)
    write_figures(drawings, folder / "figures")
    set_name = comparison.first.set_name
    html = page(
        "Comparison of two runs",
        f"{dataset.path.name}: {set_name}" if dataset else set_name,
        _identities(comparison),
        [
            _summary(comparison),
            _differences(comparison, drawings),
            _pictures(comparison, reports, dataset, max_pictures),
            _all_changed(comparison),
        ],
        _footer(comparison),
    )
    path = folder / "comparison.html"
    with replace_file(path) as temporary:
        temporary.write_text(html, encoding="utf-8")
    return path


def difference_drawings(comparison: Comparison) -> list[Drawing]:
    """Returns a figure of the differences for each unit, percent and metres."""
    drawings = []
    for unit, name, what in (
        ("%", "recall_differences", "recall"),
        ("m", "error_differences", "error"),
    ):
        rows = [
            DotRow(part.name, part.difference, _signed(part.difference.value, unit))
            for part in comparison.differences
            if part.unit == unit and math.isfinite(part.difference.value)
        ]
        if rows:
            title = f"Change of the {what}, second run minus first"
            label = f"difference ({'percentage points' if unit == '%' else unit})"
            drawings.append(dot_plot(name, title, rows, xlabel=label, reference=0))
    return drawings


def _signed(value: float, unit: str) -> str:
    return f"{value:+.1f}{'' if unit == '%' else ' ' + unit}"


def _identities(comparison: Comparison) -> str:
    first, second = (
        dict(identity_facts(identity))
        for identity in (comparison.first, comparison.second)
    )
    rows = [[name, first[name], second[name]] for name in first]
    return table(["", "first run", "second run"], rows, text_columns=(0, 1, 2))


def _summary(comparison: Comparison) -> Section:
    threshold = f"{comparison.positive_dist_threshold_m:g} m"
    entries = [
        (f"+{comparison.num_gained:,}", "queries gained: only the second run is right"),
        (f"−{comparison.num_lost:,}", "queries lost: only the first run is right"),  # noqa: RUF001
        (f"{comparison.num_queries:,}", "queries compared"),
    ]
    cells = "".join(f"<div><b>{n}</b><span>{what}</span></div>" for n, what in entries)
    words = (
        f"<p>Right means: the first prediction lies within {threshold}. "
        f"{_in_words(comparison)}</p>"
    )
    return Section("summary", "Summary", f'<div class="headline">{cells}</div>{words}')


def _in_words(comparison: Comparison) -> str:
    changed = comparison.num_gained + comparison.num_lost
    p = comparison.mcnemar_p
    if not changed:
        text = "No query changed, so the test has nothing to tell the runs apart by."
    else:
        text = (
            f"If both runs were equally good, {count_of(changed, 'change', 'changes')} "
            f"would split at least this unevenly with probability {_probability(p)} "
            f"(exact McNemar test): {_verdict(comparison, p)}"
        )
    if math.isfinite(comparison.wilcoxon_p):
        text += (
            " For the errors in metres that probability is "
            f"{_probability(comparison.wilcoxon_p)} (Wilcoxon signed-rank test)."
        )
    return text


def _verdict(comparison: Comparison, p: float) -> str:
    if p >= 0.05:
        return "the difference may well be chance."
    better = "second" if comparison.num_gained > comparison.num_lost else "first"
    return f"the {better} run is better, and chance is an unlikely reason."


def _probability(p: float) -> str:
    return "below 0.0001" if p < 1e-4 else f"{p:.2g}"


def _differences(comparison: Comparison, drawings: Sequence[Drawing]) -> Section:
    level = f"{100 * comparison.bootstrap.level:g}%"
    rows = [
        [safe(part.name), *_cells(part), with_interval(part.difference)]
        for part in comparison.differences
    ]
    numbers = table(["", "first", "second", "difference"], rows)
    caption = f"Bars: {level} intervals. Dashed: no difference."
    left = "".join(chart(drawing, caption) for drawing in drawings)
    html = side_by_side(left or missing("There are no differences to draw."), numbers)
    return Section("differences", "Differences", html)


def _cells(part: Difference) -> list[str]:
    unit = "%" if part.unit == "%" else f" {part.unit}"
    return [number(part.first, 1, unit), number(part.second, 1, unit)]


def _pictures(
    comparison: Comparison,
    reports: Sequence[StoredReport],
    dataset: PreparedDataset | None,
    most: int,
) -> Section:
    title, short = "Changed queries with pictures", "Pictures"
    name = comparison.first.set_name
    chosen = None if dataset is None else evaluation_set_of(dataset, name)
    if not comparison.changed:
        html = missing("No query changed.")
    elif dataset is None or chosen is None:
        html = missing(_NO_PICTURES)
    else:
        shown = [
            query
            for change in ("lost", "gained")
            for query in [q for q in comparison.changed if q.change == change][:most]
        ]
        html = (
            '<p class="lead">Each query with the first prediction of both runs. A '
            "solid blue line: right; dashed orange: wrong.</p>"
        )
        html += changed_cases(shown, reports, dataset, chosen)
    return Section("pictures", title, html, short)


def _all_changed(comparison: Comparison) -> Section:
    rows = []
    for query in comparison.changed[:_MOST_ROWS]:
        state = "right" if query.change == "gained" else "wrong"
        rows.append(
            [
                f'<span class="name">{breakable(query.key)}</span>',
                f'<span class="tag {state}">{safe(query.change)}</span>',
                metres(query.first_error_m),
                metres(query.second_error_m),
            ]
        )
    header = ["query", "change", "first error", "second error"]
    html = missing("No query changed.")
    if rows:
        numbers = table(header, rows, text_columns=(0, 1), sortable=True)
        html = f'<div class="scroll">{numbers}</div>'
    if len(comparison.changed) > _MOST_ROWS:
        html += (
            f'<p class="note">The first {_MOST_ROWS:,} of {len(comparison.changed):,}; '
            'all are in <a href="changed_queries.csv">changed_queries.csv</a>.</p>'
        )
    return Section("changed", "All changed queries", html, "All changes")


def _footer(comparison: Comparison) -> str:
    settings = comparison.bootstrap
    return (
        f"<p>Intervals: {100 * settings.level:g}% paired percentile bootstrap over "
        f"queries, {settings.num_resamples:,} resamples, seed {settings.seed}. The "
        "numbers are in comparison.json beside this page.</p>"
    )
