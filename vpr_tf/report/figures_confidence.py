"""Figures of the confidence: precision over coverage, and reliability."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from vpr_tf.report.confidence import ConfidenceReport
from vpr_tf.report.figure_style import COLOURS, Drawing
from vpr_tf.report.strata import wilson_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DASHES = (0, (3, 3))
_MOST_POINTS = 400  # of the curve; more cannot be seen


def precision_over_coverage(confidence: ConfidenceReport) -> Drawing:
    """Draws how often answers are right when only the surest queries are answered."""

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        count = len(confidence.coverage)
        shown = np.linspace(0, count - 1, min(count, _MOST_POINTS)).astype(int)
        x = 100 * np.asarray(confidence.coverage)[shown]
        y = 100 * np.asarray(confidence.precision_at_coverage)[shown]
        x, y = np.append(0, x), np.append(y[:1], y)
        axes.plot(x, y, color=COLOURS["good"])
        wanted = 100 * confidence.wanted_precision
        line = axes.axhline(wanted, color=COLOURS["muted"], lw=1, ls=_DASHES)
        line.set_label(f"wanted: {wanted:g}% right")
        _mark_threshold(axes, confidence)
        axes.legend(loc="lower left")
        axes.set_xlim(0, 101)
        lowest = min(float(np.min(y, initial=100)), wanted) - 15
        axes.set_ylim(max(0, 10 * (lowest // 10)), 101)
        axes.set(xlabel="queries answered (%)", ylabel="answers that are right (%)")

    title = "Precision over coverage, surest queries first"
    return Drawing("precision_over_coverage", title, draw)


def _mark_threshold(axes: Axes, confidence: ConfidenceReport) -> None:
    x = confidence.answered_coverage.value
    y = confidence.answered_precision.value
    if not (math.isfinite(x) and math.isfinite(y)):
        return
    label = f"confidence from {confidence.chosen_threshold:.2f}:\n"
    label += f"{x:.1f}% answered, {y:.1f}% right"
    colour = COLOURS["bad"]
    axes.plot(x, y, "D", color=colour, ms=6.5, clip_on=False, zorder=4, label=label)


def reliability(confidence: ConfidenceReport) -> Drawing:
    """Draws how often answers are right over how sure they were, with counts."""

    def draw(figure: Figure) -> None:
        axes, bars = figure.subplots(
            2, 1, sharex=True, gridspec_kw={"height_ratios": [4, 1]}
        )
        axes.plot([0, 100], [0, 100], color=COLOURS["muted"], lw=1, ls=_DASHES)
        promised = [100 * part.mean_confidence for part in confidence.bins]
        right = [100 * part.precision for part in confidence.bins]
        counts = [part.num_queries for part in confidence.bins]
        for x, y, count in zip(promised, right, counts, strict=True):
            low, high = wilson_interval(round(y / 100 * count), count, 0.95)
            axes.plot([x, x], [100 * low, 100 * high], color=COLOURS["tint"], lw=5)
        axes.plot(promised, right, "o-", color=COLOURS["good"], ms=5, lw=1)
        axes.set_xlim(-2, 102)
        axes.set_ylim(-2, 104)
        axes.set_ylabel("right (%)")
        _count_bars(bars, promised, counts)
        bars.set(xlabel="confidence (%), mean of a bin", ylabel="queries")

    title = "Reliability: how often answers of a confidence are right"
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
