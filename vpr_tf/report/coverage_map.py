"""A map of where photos of an area are missing, old or few."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vpr_tf.geo import LocalPlane, cities
from vpr_tf.photos.coverage import Coverage
from vpr_tf.report.figure_style import COLOURS, Drawing
from vpr_tf.report.map_svg import round_length_m

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAP_NAME = "coverage"
_WIDTH_IN = 8.0
_ASPECTS = (0.4, 1.4)  # height over width
_LEGEND_IN = 0.9
_SCALE_SHARE = 0.22  # of the width


def draw_coverage(coverage: Coverage, folder: Path) -> tuple[Path, int]:
    """Draws the largest city of a coverage report.

    Args:
        coverage: The report.
        folder: Where `coverage.png` is written.

    Returns:
        The file, and how many cells of other cities are not on it.
    """
    corners = coverage.corners_deg()
    middles = corners.mean(axis=1)
    shown = cities(middles[:, 1], middles[:, 0]) == 0
    plane = LocalPlane.around(middles[shown, 1], middles[shown, 0])
    squares = plane.to_metres(corners[shown, :, 1], corners[shown, :, 0])
    low, high = squares.min(axis=(0, 1)), squares.max(axis=(0, 1))
    # A row of cells alone would be drawn as a line.
    margin_m = max(float((high - low).max()) * 0.04, 2 * coverage.cell_size_m)
    low, high = low - margin_m, high + margin_m
    aspect = float(np.clip((high - low)[1] / (high - low)[0], *_ASPECTS))

    def draw(figure: Figure) -> None:
        _draw(figure, coverage, shown, squares, (low, high))

    size = (_WIDTH_IN, _WIDTH_IN * aspect + _LEGEND_IN)
    title = f"Coverage: {int(coverage.count[shown].sum()):,} photos"
    drawing = Drawing(MAP_NAME, title, draw, size)
    return drawing.write_png(folder), int((~shown).sum())


def _draw(
    figure: Figure,
    coverage: Coverage,
    shown: np.ndarray,
    squares: np.ndarray,
    limits: tuple[np.ndarray, np.ndarray],
) -> None:
    from matplotlib.collections import PolyCollection
    from matplotlib.patches import Patch

    axes = figure.add_subplot()
    axes.set_aspect("equal", "box")
    kinds = _kinds(coverage)
    handles = []
    for name, (cells, colour) in kinds.items():
        chosen = squares[cells[shown]]
        if len(chosen):
            label = f"{name} ({len(chosen):,})"
            axes.add_collection(PolyCollection(chosen, facecolor=colour, lw=0))
            handles.append(Patch(facecolor=colour, label=label))
    low, high = limits
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    axes.grid(visible=False)
    length_m = round_length_m(float((high - low)[0]) * _SCALE_SHARE)
    bar = low[0] + np.array([0.02, 0.02]) * (high - low)[0] + [0, length_m]
    axes.plot(bar, np.full(2, low[1]), color=COLOURS["ink"], lw=2, clip_on=False)
    text = f"{length_m / 1000:g} km" if length_m >= 1000 else f"{length_m:g} m"
    axes.annotate(text, (bar[0], low[1]), (0, 4), textcoords="offset points")
    figure.legend(
        handles=handles,
        loc="outside lower left",
        ncols=2,
        title=f"Cells of {coverage.cell_size_m:g} m; north is up",
        alignment="left",
    )


def _kinds(coverage: Coverage) -> dict[str, tuple[np.ndarray, str]]:
    """Returns what cells are, the worst first; each cell is in one."""
    old, few = coverage.old, coverage.few & ~coverage.old
    rest = ~(coverage.missing | old | few)
    return {
        f"{coverage.few_below} photos or more": (rest, COLOURS["good"]),
        f"fewer than {coverage.few_below} photos": (few, COLOURS["tint"]),
        f"none since {coverage.old_before}": (old, COLOURS["other"]),
        "missing: a gap in a line of photos": (coverage.missing, COLOURS["bad"]),
    }
