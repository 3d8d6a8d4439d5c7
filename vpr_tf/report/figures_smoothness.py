"""The figure of the descriptors over space."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vpr_tf.report.figure_style import COLOURS, SEQUENCE, Drawing
from vpr_tf.report.smoothness import Smoothness

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_CURVES = 4  # heading differences that are told apart


def spatial_smoothness(smoothness: Smoothness) -> Drawing:
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
    rows = np.linspace(0, len(grid) - 1, min(len(grid), _MOST_CURVES)).astype(int)
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
