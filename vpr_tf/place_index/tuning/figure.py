"""The curve of recall over speed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vpr_tf.place_index.tuning.measurement import Measurement, frontier

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
_RECALL_TICKS = (0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 1)
# The axis of recall shows the share that is missed on a logarithmic scale, which this
# share ends, so that 100 % has a place.
_LEAST_MISSED = 2e-3
_MAX_LABELS = 8


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

    figure = Figure(figsize=(9, 6), layout="constrained")
    axes = figure.add_subplot()
    _draw_points(axes, measurements, recall_at)
    _draw_frontier(axes, frontier(measurements, recall_at), chosen, recall_at)
    axes.axhline(
        min_recall,
        color=_TARGET_COLOUR,
        linestyle="--",
        linewidth=1.2,
        label=f"wanted: {min_recall:.1%}",
        zorder=1,
    )
    _draw_chosen(axes, chosen, recall_at)
    _set_axes(axes, measurements, recall_at, min_recall)
    axes.set_title(title, fontsize=10, loc="left")
    figure.legend(loc="outside lower center", ncols=6, fontsize=9, frameon=False)
    figure.savefig(path, dpi=130, format="png")


def _set_axes(
    axes: Axes, measurements: list[Measurement], recall_at: int, min_recall: float
) -> None:
    from matplotlib.ticker import (
        FixedLocator,
        LogLocator,
        NullFormatter,
        NullLocator,
        StrMethodFormatter,
    )

    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("queries per second, in batches (faster to the right)")
    speeds = [one.queries_per_s for one in measurements]
    span = max(max(speeds) / min(speeds), 2.0)
    # Names stand to the right of their points, where the frontier leaves room.
    axes.set_xlim(min(speeds) / span**0.06, max(speeds) * span**0.7)
    axes.set_yscale("function", functions=(_height, _recall_at_height))
    axes.yaxis.set_major_locator(FixedLocator(_RECALL_TICKS))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(lambda recall, _: f"{recall:.1%}".replace(".0", ""))
    lowest = min([min_recall, *(one.recalls[recall_at] for one in measurements)])
    low, high = _height(np.array([lowest, 1.0]))
    margin = 0.06 * (high - low)
    bounds = np.array([max(low - margin, -0.02), high + 2.5 * margin])
    axes.set_ylim(*_recall_at_height(bounds))
    found = "nearest photo" if recall_at == 1 else f"{recall_at} nearest photos"
    axes.set_ylabel(f"share of the true {found} that is found")
    axes.grid(True, which="major", color="#e2e2e2", linewidth=0.7)
    axes.set_axisbelow(True)


def _height(recall: Any) -> Any:
    """Place of a recall on its axis."""
    return -np.log10(np.maximum(1 - np.asarray(recall) + _LEAST_MISSED, 1e-9))


def _recall_at_height(height: Any) -> Any:
    return 1 + _LEAST_MISSED - 10.0 ** -np.asarray(height)


def _draw_points(axes: Axes, measurements: list[Measurement], recall_at: int) -> None:
    for kind in dict.fromkeys(one.kind for one in measurements):
        colour, marker = _STYLES.get(kind, _OTHER_STYLE)
        of_kind = [one for one in measurements if one.kind == kind]
        axes.scatter(
            [one.queries_per_s for one in of_kind],
            [one.recalls[recall_at] for one in of_kind],
            s=34,
            color=colour,
            marker=marker,
            alpha=0.8,
            linewidths=0,
            label=kind,
            zorder=3,
        )


def _draw_frontier(
    axes: Axes, best: list[Measurement], chosen: Measurement, recall_at: int
) -> None:
    if len(best) > 1:
        axes.plot(
            [one.queries_per_s for one in best],
            [one.recalls[recall_at] for one in best],
            color="#222222",
            linewidth=1.2,
            label="nothing is faster and better",
            zorder=2,
        )
    others = [one for one in best if one != chosen]
    step = max(1, -(-len(others) // _MAX_LABELS))
    for one in others[::step]:
        axes.annotate(
            one.label or one.kind,  # its colour tells the kind
            (one.queries_per_s, one.recalls[recall_at]),
            xytext=(7, 2),
            textcoords="offset points",
            fontsize=7.5,
            color="#333333",
        )


def _draw_chosen(axes: Axes, chosen: Measurement, recall_at: int) -> None:
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
        f"{chosen.label or chosen.kind}\n"
        f"{chosen.queries_per_s:,.0f}/s, p50 {chosen.p50_ms:.2g} ms",
        place,
        xytext=(10, 8),
        textcoords="offset points",
        fontsize=8,
        fontweight="bold",
        color=_CHOSEN_COLOUR,
    )
