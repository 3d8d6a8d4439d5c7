"""The curve of recall over speed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vpr_tf.retrieval.tuning.measurement import Measurement, frontier

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_STYLES = {
    "exact": ("#444444", "s"),
    "scann": ("#0b6aa2", "o"),
    "milvus": ("#c4501b", "^"),
}
_OTHER_STYLE = ("#7a3b8f", "D")
_TARGET_COLOUR = "#a01c3f"
_CHOSEN_COLOUR = "#1b7a3d"
_MAX_LABELS = 9
# Settings far below the wanted recall would press all others to the upper edge.
_SHOWN_BELOW_TARGET = 0.25


def draw_pareto(
    measurements: list[Measurement],
    chosen: Measurement,
    path: Path,
    *,
    recall_at: int,
    min_recall: float,
    title: str,
) -> None:
    """Draws recall against exact search over queries/s.

    Args:
        measurements: All settings.
        chosen: Which of them is marked.
        path: PNG to write.
        recall_at: Of which N.
        min_recall: Drawn as a line.
        title: Above the figure.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import (
        LogLocator,
        NullFormatter,
        PercentFormatter,
        StrMethodFormatter,
    )

    figure = Figure(figsize=(9, 5.6), layout="constrained")
    axes = figure.add_subplot()
    lowest = max(0.0, min_recall - _SHOWN_BELOW_TARGET)
    shown = [one for one in measurements if one.recalls[recall_at] >= lowest]
    _draw_points(axes, shown, recall_at)
    _draw_frontier(axes, frontier(shown, recall_at), chosen, recall_at)
    _draw_target(axes, chosen, recall_at, min_recall)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("batch queries per second (log scale, faster to the right)")
    found = "nearest neighbour" if recall_at == 1 else f"{recall_at} nearest neighbours"
    axes.set_ylabel(f"share of the true {found} found")
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
    low = min([min_recall, *(one.recalls[recall_at] for one in shown)])
    margin = max(0.002, 0.08 * (1 - low))
    axes.set_ylim(low - margin, 1 + 2.2 * margin)
    axes.margins(x=0.12)
    axes.grid(True, which="major", color="#dddddd", linewidth=0.7)
    axes.set_axisbelow(True)
    hidden = len(measurements) - len(shown)
    note = f"; {hidden} settings below {lowest:.0%} not shown" if hidden else ""
    axes.set_title(title + note, fontsize=10, loc="left")
    axes.legend(loc="lower left", fontsize=9, framealpha=0.95)
    figure.savefig(path, dpi=130, format="png")


def _draw_points(axes: Axes, shown: list[Measurement], recall_at: int) -> None:
    for kind in dict.fromkeys(one.kind for one in shown):
        colour, marker = _STYLES.get(kind, _OTHER_STYLE)
        of_kind = [one for one in shown if one.kind == kind]
        axes.scatter(
            [one.queries_per_s for one in of_kind],
            [one.recalls[recall_at] for one in of_kind],
            s=34,
            color=colour,
            marker=marker,
            alpha=0.85,
            linewidths=0,
            label=kind,
            zorder=3,
        )


def _draw_frontier(
    axes: Axes, best: list[Measurement], chosen: Measurement, recall_at: int
) -> None:
    if len(best) < 2:
        return
    axes.plot(
        [one.queries_per_s for one in best],
        [one.recalls[recall_at] for one in best],
        color="#222222",
        linewidth=1.2,
        label="nothing is both faster and better",
        zorder=2,
    )
    others = [one for one in best if one != chosen]
    step = max(1, -(-len(others) // _MAX_LABELS))
    for one in others[::-1][::step]:
        axes.annotate(
            one.name,
            (one.queries_per_s, one.recalls[recall_at]),
            xytext=(6, 5),
            textcoords="offset points",
            fontsize=7,
            color="#333333",
        )


def _draw_target(
    axes: Axes, chosen: Measurement, recall_at: int, min_recall: float
) -> None:
    axes.axhline(
        min_recall,
        color=_TARGET_COLOUR,
        linestyle="--",
        linewidth=1.2,
        label=f"wanted: {min_recall:.1%}",
        zorder=1,
    )
    place = (chosen.queries_per_s, chosen.recalls[recall_at])
    axes.scatter(
        [place[0]],
        [place[1]],
        s=190,
        facecolors="none",
        edgecolors=_CHOSEN_COLOUR,
        linewidths=2.2,
        label="chosen",
        zorder=4,
    )
    axes.annotate(
        f"{chosen.name}\n{chosen.queries_per_s:,.0f}/s, p50 {chosen.p50_ms:.2f} ms",
        place,
        xytext=(0, 14),
        textcoords="offset points",
        ha="center",
        fontsize=8,
        fontweight="bold",
        color=_CHOSEN_COLOUR,
    )
