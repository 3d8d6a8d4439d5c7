"""The figure of the error in metres."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from vpr_tf.report.error_distribution import ErrorDistribution
from vpr_tf.report.figure_style import COLOURS, Drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LEAST_M = 0.5  # shorter errors are drawn here: the axis is logarithmic
_MOST_POINTS = 400  # of a curve; more cannot be seen
_CURVES = (("good", "-"), ("bad", (0, (4, 2))), ("other", (0, (1, 1.5))))


def error_distribution(
    errors: Mapping[str, ErrorDistribution], *, marked_m: float
) -> Drawing:
    """Draws the share of queries whose error is at most so many metres.

    Args:
        errors: By method, e.g. `cluster`.
        marked_m: The set's positive distance, marked by a line.
    """

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.set_xscale("log")
        axes.axvline(marked_m, color=COLOURS["muted"], lw=1, ls=(0, (3, 3)))
        farthest = 10 * _LEAST_M
        drawn = [entry for entry in errors.items() if entry[1].cdf_error_m]
        for (name, error), (colour, dash) in zip(drawn, _CURVES, strict=False):
            farthest = max(farthest, error.cdf_error_m[-1])
            _distribution(axes, name, error, COLOURS[colour], dash)
        axes.set_xlim(_LEAST_M, farthest * 1.2)
        axes.set_ylim(0, 102)
        axes.xaxis.set_major_formatter(_metres)
        axes.legend(loc="upper left" if farthest < 2 * marked_m else "lower right")
        axes.set(xlabel="error at most (logarithmic, m)", ylabel="queries (%)")

    title = "Error of the answered position, cumulative"
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
