"""The figures of a report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from vpr_tf.report.confidence import ConfidenceReport
from vpr_tf.report.dot_plot import DotRow, dot_plot
from vpr_tf.report.error_distribution import ErrorDistribution
from vpr_tf.report.figure_style import (
    COLOURS,
    DASHES,
    SEQUENCE,
    Drawing,
    label_lines,
)
from vpr_tf.report.proportions import wilson_interval
from vpr_tf.report.recalls import RecallTable
from vpr_tf.report.report import Report
from vpr_tf.report.smoothness import Smoothness
from vpr_tf.report.strata import Stratification, attribute_title
from vpr_tf.tables import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LEAST_M = 0.5  # shorter errors are drawn here: the axis is logarithmic
_MOST_POINTS = 400  # of a curve; more cannot be seen
_METHODS = (("good", "-"), ("bad", (0, (4, 2))), ("other", (0, (1, 1.5))))
_MOST_HEADINGS = 4  # heading differences that are distinguished


def report_figures(report: Report) -> list[Drawing]:
    """Returns the figures that the report has the numbers for."""
    threshold_m = report.positive_dist_threshold_m
    figures = []
    if report.recalls.num_evaluated:
        what = "place" if report.identity.predicts_places else "photo"
        figures.append(_recall_with_interval(report.recalls, threshold_m, what))
        figures.append(_recall_over_thresholds(report.recalls, threshold_m))
    if any(error.cdf_error_m for error in report.errors.values()):
        figures.append(_error_distribution(report.errors, marked_m=threshold_m))
    if report.confidence is not None and report.confidence.num_queries:
        figures.append(_precision_over_coverage(report.confidence))
        figures.append(_reliability(report.confidence))
    if any(division.strata for division in report.strata):
        overall = next(iter(report.recalls.at(threshold_m).values())).value
        figures.append(_recall_over_strata(report.strata, overall))
    if report.smoothness is not None and report.smoothness.num_pairs:
        figures.append(_spatial_smoothness(report.smoothness))
    return figures


def _recall_with_interval(
    recalls: RecallTable, threshold_m: float, what: str = "photo"
) -> Drawing:
    """Draws recall@N at one threshold, a row for each N."""
    at_threshold = recalls.recalls[recalls.thresholds_m.index(threshold_m)]
    rows = [
        DotRow(f"recall@{n}", interval, f"{interval.value:.1f}%")
        for n, interval in zip(recalls.recall_values, at_threshold, strict=True)
    ]
    title = f"Queries with a right {what} among the first N, within {threshold_m:g} m"
    label = f"queries (%), of {recalls.num_evaluated:,}"
    return dot_plot("recall", title, rows, xlabel=label, limits=(0, 100))


def _recall_over_thresholds(recalls: RecallTable, threshold_m: float) -> Drawing:
    """Draws recall@N over the distance at which a prediction counts as right."""
    metres = recalls.thresholds_m

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.set_xscale("log")
        axes.axvline(threshold_m, color=COLOURS["muted"], lw=1, ls=DASHES)
        first = [row[0] for row in recalls.recalls]
        low, high = [i.low for i in first], [i.high for i in first]
        axes.fill_between(metres, low, high, color=COLOURS["tint"], lw=0)
        labels = []
        for column, n in enumerate(recalls.recall_values):
            colour = SEQUENCE[min(column, len(SEQUENCE) - 1)]
            percent = [row[column].value for row in recalls.recalls]
            axes.plot(metres, percent, "o-", color=colour, ms=4)
            if math.isfinite(percent[-1]):
                labels.append((metres[-1], percent[-1], f"recall@{n}"))
        axes.set_xticks(metres, [f"{value:g}" for value in metres])
        axes.set_xticks([], minor=True)
        axes.set_ylim(0, 102)
        axes.set_xlim(metres[0] * 0.9, metres[-1] * 2.1)
        label_lines(axes, labels)
        axes.set(xlabel="right within (m, logarithmic)", ylabel="queries found (%)")

    title = "Recall over the distance that counts as right"
    return Drawing("recall_over_thresholds", title, draw)


def _recall_over_strata(strata: Sequence[Stratification], overall: float) -> Drawing:
    """Draws recall@1 for every kind of queries."""
    rows = [
        DotRow(
            stratum.label,
            stratum.recall_at_1,
            counted(stratum.num_queries, "query", "queries"),
            attribute_title(division.name),
        )
        for division in strata
        for stratum in division.strata
    ]
    return dot_plot(
        "recall_over_strata",
        "Recall@1 by attributes of the query",
        rows,
        xlabel="queries found at rank 1 (%); dashed: all queries",
        reference=overall,
        limits=(0, 100),
    )


def _error_distribution(
    errors: Mapping[str, ErrorDistribution], *, marked_m: float
) -> Drawing:
    """Draws the share of queries whose error is at most so many metres."""

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.set_xscale("log")
        axes.axvline(marked_m, color=COLOURS["muted"], lw=1, ls=(0, (3, 3)))
        farthest = 10 * _LEAST_M
        drawn = [entry for entry in errors.items() if entry[1].cdf_error_m]
        for (name, error), (colour, dash) in zip(drawn, _METHODS, strict=False):
            farthest = max(farthest, error.cdf_error_m[-1])
            _distribution(axes, name, error, COLOURS[colour], dash)
        axes.set_xlim(_LEAST_M, farthest * 1.2)
        axes.set_ylim(0, 102)
        axes.xaxis.set_major_formatter(_metres)
        axes.xaxis.set_minor_formatter(_no_text)
        axes.legend(loc="upper left" if farthest < 2 * marked_m else "lower right")
        axes.set(xlabel="error at most (logarithmic, m)", ylabel="queries (%)")

    title = "Error of the estimated position, cumulative"
    return Drawing("error_distribution", title, draw)


def _distribution(
    axes: Axes, name: str, error: ErrorDistribution, colour: str, dash: object
) -> None:
    count = len(error.cdf_error_m)
    shown = np.linspace(0, count - 1, min(count, _MOST_POINTS)).astype(int)
    metres = np.maximum(np.asarray(error.cdf_error_m)[shown], _LEAST_M)
    percent = np.asarray(error.cdf_percent)[shown]
    axes.step(
        np.append(_LEAST_M, metres),
        np.append(0, percent),
        where="post",
        color=colour,
        ls=dash,
        label=f"{name.replace('_', ' ')}: median {error.median_m.value:,.1f} m",
    )
    axes.plot(max(error.median_m.value, _LEAST_M), 50, "o", color=colour, ms=5)


def _metres(value: float, _: object = None) -> str:
    return f"{value / 1000:g} km" if value >= 1000 else f"{value:g}"


def _no_text(value: float, _: object = None) -> str:
    return ""


def _precision_over_coverage(confidence: ConfidenceReport) -> Drawing:
    """Draws how often localizations of a confidence or a higher one are right."""

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        count = len(confidence.coverage)
        shown = np.linspace(0, count - 1, min(count, _MOST_POINTS)).astype(int)
        x = 100 * np.asarray(confidence.coverage)[shown]
        y = 100 * np.asarray(confidence.precision_at_coverage)[shown]
        x, y = np.append(0, x), np.append(y[:1], y)
        axes.plot(x, y, color=COLOURS["good"])
        wanted = 100 * confidence.wanted_precision
        line = axes.axhline(wanted, color=COLOURS["muted"], lw=1, ls=DASHES)
        line.set_label(f"wanted: {wanted:g}% right")
        _mark_threshold(axes, confidence)
        axes.legend(loc="lower left")
        axes.set_xlim(0, 101)
        lowest = min(float(np.min(y, initial=100)), wanted) - 15
        axes.set_ylim(max(0, 10 * (lowest // 10)), 101)
        axes.set(xlabel="queries localized (%)", ylabel="of these right (%)")

    title = "Precision over coverage, highest confidence first"
    return Drawing("precision_over_coverage", title, draw)


def _mark_threshold(axes: Axes, confidence: ConfidenceReport) -> None:
    x = confidence.answered_coverage.value
    y = confidence.answered_precision.value
    if not (math.isfinite(x) and math.isfinite(y)):
        return
    label = f"confidence from {confidence.chosen_threshold:.2f}:\n"
    label += f"{x:.1f}% localized, {y:.1f}% right"
    colour = COLOURS["bad"]
    axes.plot(x, y, "D", color=colour, ms=6.5, clip_on=False, zorder=4, label=label)


def _reliability(confidence: ConfidenceReport) -> Drawing:
    """Draws how often localizations are right over their confidence, with counts."""

    def draw(figure: Figure) -> None:
        axes, bars = figure.subplots(
            2, 1, sharex=True, gridspec_kw={"height_ratios": [4, 1]}
        )
        axes.plot([0, 100], [0, 100], color=COLOURS["muted"], lw=1, ls=DASHES)
        promised = [100 * part.mean_confidence for part in confidence.bins]
        right = [100 * part.precision for part in confidence.bins]
        counts = [part.num_queries for part in confidence.bins]
        for x, y, count in zip(promised, right, counts, strict=True):
            share = wilson_interval(round(y / 100 * count), count, 0.95)
            ends = [100 * share.low, 100 * share.high]
            axes.plot([x, x], ends, color=COLOURS["tint"], lw=5)
        axes.plot(promised, right, "o-", color=COLOURS["good"], ms=5, lw=1)
        axes.set_xlim(-2, 102)
        axes.set_ylim(-2, 104)
        axes.set_ylabel("right (%)")
        _count_bars(bars, promised, counts)
        bars.set(xlabel="confidence (%), mean of a bin", ylabel="queries")

    title = "Reliability: how often localizations of a confidence are right"
    return Drawing("reliability", title, draw, (4.9, 3.7))


def _count_bars(axes: Axes, places: list[float], counts: list[int]) -> None:
    axes.bar(places, counts, 2.6, color=COLOURS["tint"])
    labelled = -math.inf
    for x, count in zip(places, counts, strict=True):
        if x < labelled + 5:  # the numbers would cover each other
            continue
        labelled = x
        axes.annotate(
            f"{count:,}",
            (x, count),
            xytext=(0, 2),
            textcoords="offset points",
            ha="center",
            color=COLOURS["muted"],
            fontsize=7,
        )
    axes.set_ylim(0, max([*counts, 1]) * 1.5)
    axes.set_yticks([])
    axes.grid(visible=False)


def _spatial_smoothness(smoothness: Smoothness) -> Drawing:
    """Draws how alike descriptors are over the distance of their places.

    One curve for each range of heading differences; where headings are unknown, the
    mean with its quartiles.
    """

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        if smoothness.grid_heading_deg:
            _curves_by_heading(axes, smoothness)
        else:
            _curve_with_quartiles(axes, smoothness)
        axes.set(xlabel="distance of the places (m)", ylabel="cosine similarity")

    title = "Similarity of descriptors over the distance of the places"
    if smoothness.grid_heading_deg:
        title += ", by heading difference"
    return Drawing("spatial_smoothness", title, draw)


def _curves_by_heading(axes: Axes, smoothness: Smoothness) -> None:
    grid = np.array(smoothness.grid, float)
    headings = smoothness.grid_heading_deg
    edges = np.array(smoothness.grid_distance_m, float)
    middles = (edges[:-1] + edges[1:]) / 2
    rows = np.linspace(0, len(grid) - 1, min(len(grid), _MOST_HEADINGS)).astype(int)
    for row, colour in zip(rows, SEQUENCE, strict=False):
        known = np.isfinite(grid[row])
        if known.any():
            x, y = middles[known], grid[row][known]
            name = f"{headings[row]:g} to {headings[row + 1]:g}°"
            axes.plot(x, y, "o-", color=colour, ms=3, label=name)
    axes.set_xlim(0, None)
    axes.legend(title="headings differ by", title_fontsize=8)


def _curve_with_quartiles(axes: Axes, smoothness: Smoothness) -> None:
    bins = [part for part in smoothness.by_distance if part.num_pairs]
    middles = [(part.low + part.high) / 2 for part in bins]
    low, high = [part.p25 for part in bins], [part.p75 for part in bins]
    axes.fill_between(
        middles, low, high, color=COLOURS["tint"], lw=0, label="middle half"
    )
    means = [part.mean for part in bins]
    axes.plot(middles, means, "o-", color=COLOURS["good"], ms=3, label="mean")
    axes.set_xlim(0, None)
    axes.legend()
