"""Values with their intervals, one below the other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vpr_tf.report.figure_style import COLOURS, DASHES, Drawing
from vpr_tf.tables import Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ROW_IN = 0.27  # height of a row
_EDGES_IN = 0.72  # height of what is above and below the rows


@dataclass(frozen=True)
class DotRow:
    """A value with its interval.

    Attributes:
        label: Printed at the left.
        interval: The dot and the bar behind it; NaN leaves them out.
        note: Printed at the right, e.g. the number of queries.
        group: Rows of one group follow each other under its name; empty for none.
        colour: Of the dot, and lighter of the bar; empty for that of all figures.
    """

    label: str
    interval: Interval
    note: str = ""
    group: str = ""
    colour: str = ""


def dot_plot(
    name: str,
    title: str,
    rows: Sequence[DotRow],
    *,
    xlabel: str,
    reference: float | None = None,
    limits: tuple[float, float] | None = None,
) -> Drawing:
    """Draws values with their intervals, from top to bottom.

    Args:
        name: File name without ending.
        title: Title of the figure.
        rows: From top to bottom.
        xlabel: What the values are, with the unit.
        reference: A vertical line to compare with, e.g. no difference.
        limits: Ends of the axis; None fits the intervals.
    """
    heights, headings = _places(rows)
    size = (4.9, _EDGES_IN + _ROW_IN * (len(rows) + len(headings)))

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        if reference is not None:
            axes.axvline(reference, color=COLOURS["muted"], lw=1, ls=DASHES)
        for row, y in zip(rows, heights, strict=True):
            _dot(axes, row.interval, y, row.colour)
            _beside(axes, row.note, 1, y, color=COLOURS["muted"])
        for heading, y in headings:
            _beside(axes, heading, 0, y, color=COLOURS["ink"], weight="bold")
        axes.set_yticks(heights, [row.label for row in rows])
        axes.set_ylim(max(heights, default=0) + 0.6, -0.6)
        axes.grid(axis="y", visible=False)
        axes.spines["left"].set_visible(False)
        if limits:
            axes.set_xlim(*limits)
        axes.set_xlabel(xlabel)

    return Drawing(name, title, draw, size)


def _places(
    rows: Sequence[DotRow],
) -> tuple[list[float], list[tuple[str, float]]]:
    """Returns the height of each row, and of each group's heading."""
    places: list[float] = []
    headings: list[tuple[str, float]] = []
    group, y = "", 0.0
    for row in rows:
        if row.group != group:
            group = row.group
            headings.append((group, y))
            y += 1
        places.append(y)
        y += 1
    return places, headings


def _dot(axes: Axes, interval: Interval, y: float, colour: str) -> None:
    if math.isfinite(interval.low) and math.isfinite(interval.high):
        ends = [interval.low, interval.high]
        light: dict[str, Any] = {"color": COLOURS["tint"]}
        if colour:
            light = {"color": colour, "alpha": 0.3}
        axes.plot(ends, [y, y], lw=5, zorder=2, **light)
    if math.isfinite(interval.value):
        axes.plot(
            interval.value,
            y,
            "o",
            color=colour or COLOURS["good"],
            ms=5.5,
            zorder=3,
            clip_on=False,
        )


def _beside(axes: Axes, text: str, edge: int, y: float, **style: Any) -> None:
    if not text:
        return
    axes.annotate(
        text,
        (edge, y),
        xycoords=("axes fraction", "data"),
        xytext=(6, 0) if edge else (-4, 0),
        textcoords="offset points",
        ha="left" if edge else "right",
        va="center",
        fontsize=8,
        annotation_clip=False,
        **style,
    )
