"""Evaluation sets beside each other: light, years, headings, density, distances."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from vpr_tf.report.figure_style import COLOURS, DASHES, RUN_COLOURS, Drawing
from vpr_tf.report.set_properties import (
    CELL_SIZE_M,
    SECTORS,
    SetProperties,
    SplitProperties,
)
from vpr_tf.tables import told_apart

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ROLES = (("queries", "-"), ("database", (0, (3, 2))))
_LEAST_M = 0.1  # shorter distances are drawn here: the axis is logarithmic
_MOST_POINTS = 400  # of a curve; more cannot be seen
_LONGEST_LABEL = 30
_UNKNOWN = "not known"


def draw_sets(sets: Sequence[SetProperties]) -> Drawing:
    """Draws sets, a colour each; queries are solid lines, databases dashed ones."""
    labels = told_apart((each.name for each in sets), _LONGEST_LABEL)
    panels: list[Callable[[Axes, Sequence[SetProperties]], None]] = [
        _brightness,
        _years,
        _headings,
        _density,
        _distances,
        _positives,
    ]

    def draw(figure: Figure) -> None:
        for number, panel in enumerate(panels):
            axes = figure.add_subplot(2, 3, number + 1)
            panel(axes, sets)
            if not axes.lines:
                axes.text(0.5, 0.5, _UNKNOWN, ha="center", transform=axes.transAxes)
        figure.legend(
            handles=_legend([labels[each.name] for each in sets]),
            loc="outside lower center",
            ncols=4,
        )

    return Drawing("sets", "Evaluation sets beside each other", draw, (10.0, 6.4))


def _legend(names: Sequence[str]) -> list[Any]:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=_colour(number), label=name)
        for number, name in enumerate(names)
    ]
    return handles + [
        Line2D([], [], color=COLOURS["muted"], ls=dashes, label=role)
        for role, dashes in _ROLES
    ]


def _colour(number: int) -> str:
    return RUN_COLOURS[number % len(RUN_COLOURS)]


def _splits(sets: Sequence[SetProperties]) -> list[tuple[SplitProperties, Any]]:
    """Returns the splits of the sets and how their lines look."""
    return [
        (each.splits[role], {"color": _colour(number), "ls": dashes})
        for number, each in enumerate(sets)
        for role, dashes in _ROLES
    ]


def _cumulative(axes: Axes, values: np.ndarray, **style: Any) -> None:
    """Draws which share of the values is at most so large; nothing without any."""
    known = np.sort(values[~np.isnan(values)])
    if len(known):
        shares = np.linspace(0, 1, min(len(known), _MOST_POINTS))
        at = np.quantile(known, shares, method="inverted_cdf")
        axes.plot(at, 100 * shares, drawstyle="steps-post", **style)
    axes.set_ylim(0, 102)


def _brightness(axes: Axes, sets: Sequence[SetProperties]) -> None:
    for split, style in _splits(sets):
        _cumulative(axes, split.luma, **style)
    for below in {each.dark_luma_below for each in sets}:
        axes.axvspan(0, below, color=COLOURS["rule"], lw=0)
    axes.set_xlim(0, 1)
    axes.set(title="Brightness", xlabel="mean luma at most (grey: dark)")
    axes.set_ylabel("photos (%)")


def _years(axes: Axes, sets: Sequence[SetProperties]) -> None:
    from matplotlib.ticker import MaxNLocator

    for split, style in _splits(sets):
        _cumulative(axes, split.years, **style)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.ticklabel_format(axis="x", useOffset=False, style="plain")
    axes.set(title="Years", xlabel="taken in this year or before", ylabel="photos (%)")


def _headings(axes: Axes, sets: Sequence[SetProperties]) -> None:
    places = np.arange(len(SECTORS))
    for split, style in _splits(sets):
        shares = split.sector_shares
        if not np.isnan(shares).any():
            axes.plot(places, 100 * shares, marker=".", **style)
    axes.set_ylim(bottom=0)
    axes.set_xticks(places, SECTORS)
    axes.set(title="Headings", xlabel="direction of 45°", ylabel="photos (%)")


def _density(axes: Axes, sets: Sequence[SetProperties]) -> None:
    for split, style in _splits(sets):
        _cumulative(axes, split.per_cell, **style)
    _logarithmic(axes)
    axes.set(title="Density", xlabel=f"photos in a cell of {CELL_SIZE_M:g} m, at most")
    axes.set_ylabel("cells with photos (%)")


def _distances(axes: Axes, sets: Sequence[SetProperties]) -> None:
    for number, each in enumerate(sets):
        nearest_m = np.maximum(each.nearest_m, _LEAST_M)
        _cumulative(axes, nearest_m, color=_colour(number))
    if axes.lines:
        for threshold_m in {each.threshold_m for each in sets}:
            axes.axvline(threshold_m, color=COLOURS["muted"], lw=1, ls=DASHES)
    _logarithmic(axes)
    axes.set(title="Nearest database photo", xlabel="metres from a query, at most")
    axes.set_ylabel("queries (%)")


def _positives(axes: Axes, sets: Sequence[SetProperties]) -> None:
    for number, each in enumerate(sets):
        _cumulative(axes, each.num_positives, color=_colour(number))
    axes.set_xscale("symlog", linthresh=1)
    _whole_numbers(axes)
    axes.set_xlim(left=0)
    axes.set(title="Positives", xlabel="of a query, at most")
    axes.set_ylabel("queries (%)")


def _logarithmic(axes: Axes) -> None:
    axes.set_xscale("log")
    _whole_numbers(axes)


def _whole_numbers(axes: Axes) -> None:
    """Writes 10, 100 on an axis: matplotlib's own labels of it are formulas."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
