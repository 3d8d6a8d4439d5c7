"""Figures of recall: with its interval, over thresholds, over strata."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from vpr_tf.report.dot_plot import DotRow, dot_plot
from vpr_tf.report.figure_style import COLOURS, SEQUENCE, Drawing, label_lines
from vpr_tf.report.page_text import circumstance, count_of
from vpr_tf.report.recall_table import RecallTable
from vpr_tf.report.strata import Stratification

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DASHES = (0, (3, 3))


def recall_with_interval(
    recalls: RecallTable, threshold_m: float, what: str = "photo"
) -> Drawing:
    """Draws recall@N at one threshold, a row for each N.

    Args:
        recalls: Recall at every threshold.
        threshold_m: The set's own.
        what: What is predicted, `photo` or `place`.
    """
    at_threshold = recalls.recalls[recalls.thresholds_m.index(threshold_m)]
    rows = [
        DotRow(f"recall@{n}", interval, f"{interval.value:.1f}%")
        for n, interval in zip(recalls.recall_values, at_threshold, strict=True)
    ]
    title = f"Queries with a right {what} among the first N, within {threshold_m:g} m"
    label = f"queries (%), of {recalls.num_evaluated:,}"
    return dot_plot("recall", title, rows, xlabel=label, limits=(0, 100))


def recall_over_thresholds(recalls: RecallTable, threshold_m: float) -> Drawing:
    """Draws recall@N over the distance at which a prediction counts as right.

    Args:
        recalls: Recall at every threshold.
        threshold_m: The set's own, marked by a line.
    """
    metres = recalls.thresholds_m

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.set_xscale("log")
        axes.axvline(threshold_m, color=COLOURS["muted"], lw=1, ls=_DASHES)
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


def recall_over_strata(strata: Sequence[Stratification], overall: float) -> Drawing:
    """Draws recall@1 for every kind of queries.

    Args:
        strata: The queries divided by each circumstance.
        overall: Recall@1 of all queries in percent, a line.
    """
    rows = [
        DotRow(
            stratum.label,
            stratum.recall_at_1,
            count_of(stratum.num_queries, "query", "queries"),
            circumstance(division.name),
        )
        for division in strata
        for stratum in division.strata
    ]
    return dot_plot(
        "recall_over_strata",
        "Recall@1 by circumstances of the query",
        rows,
        xlabel="queries found at rank 1 (%); dashed: all queries",
        reference=overall,
        limits=(0, 100),
    )
