"""The pictures that `inspect` draws, one PNG each."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter, StrMethodFormatter

from data_prep.inspection.report import HEADING_BINS, SplitStatistics
from vpr_tf.drawing import plain_text

_BLUE, GREY = "#33658a", "#b8bec4"
_STYLE = {
    "font.size": 10.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 12.0,
    "axes.titlelocation": "left",
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#e4e7ea",
}
_SMALL_STYLE = {"font.size": 7.0, "axes.titlesize": 8.0}
_PAGE_IN = 18.0  # width of many panels
_SMALL_PANEL_IN = 4.5
_MOST_BINS = 60
_THOUSANDS = StrMethodFormatter("{x:,.0f}")


def draw(
    path: Path,
    draw_axes: Callable[[Axes], None],
    size: tuple[float, float] = (8, 4.5),
    projection: str | None = None,
) -> Path:
    """Draws one pair of axes into a PNG file."""
    with plain_text(_STYLE):
        figure = Figure(size)
        FigureCanvasAgg(figure)
        draw_axes(figure.add_subplot(projection=projection))
        figure.savefig(path, dpi=130, bbox_inches="tight")
    return path


def draw_panels(
    path: Path,
    draw_axes: Sequence[Callable[[Axes], None]],
    title: str,
    height_over_width: float,
) -> Path:
    """Draws several pairs of axes of the same limits into a PNG file."""
    num_columns = _num_columns(len(draw_axes))
    num_rows = -(-len(draw_axes) // num_columns)
    width = panel_width_in(len(draw_axes))
    is_small = width < _SMALL_PANEL_IN
    height = num_rows * (0.9 * width * height_over_width + 0.5 + 0.5 * (not is_small))
    with plain_text({**_STYLE, **(_SMALL_STYLE if is_small else {})}):
        figure = Figure((width * num_columns, height + 0.6), layout="constrained")
        FigureCanvasAgg(figure)
        figure.suptitle(title, fontsize=14)
        for number, draw_panel in enumerate(draw_axes):
            axes = figure.add_subplot(num_rows, num_columns, number + 1)
            draw_panel(axes)
            if number % num_columns:
                axes.set_ylabel("")
                axes.tick_params(labelleft=not is_small)
            if is_small and number + num_columns < len(draw_axes):
                axes.set_xlabel("")
                axes.tick_params(labelbottom=False)
        figure.savefig(path, dpi=130, bbox_inches="tight")
    return path


def panel_width_in(num_panels: int) -> float:
    """Returns the width in inches of one of several panels."""
    num_columns = _num_columns(num_panels)
    return 9.0 if num_columns == 1 else min(6.0, _PAGE_IN / num_columns)


def _num_columns(num_panels: int) -> int:
    """Three at most as long as they make three rows, then as many as rows."""
    return max(min(num_panels, 3), math.isqrt(num_panels - 1) + 1)


def images_per_class(axes: Axes, counts: np.ndarray, minimum: int) -> None:
    """Histogram of images per class; classes below the minimum are grey."""
    largest = int(counts.max())
    width = max(1, -(-largest // _MOST_BINS))
    # A bin begins at the minimum, so that no bar is kept and dropped at once.
    first = minimum - -(-(minimum - 1) // width) * width
    edges = np.arange(first, largest + width + 1, width) - 0.5
    heights, _ = np.histogram(counts, edges)
    kept = edges[:-1] >= minimum - 1
    for rows, colour, label in (
        (kept, _BLUE, "classes"),
        (~kept, GREY, f"dropped: fewer than {minimum} images"),
    ):
        if heights[rows].any():
            axes.bar(
                edges[:-1][rows] + width / 2,
                heights[rows],
                0.9 * width,
                color=colour,
                label=f"{label} ({heights[rows].sum():,})",
            )
    if heights.max() > 50 * max(np.median(heights[heights > 0]), 1):
        axes.set_yscale("log")
    axes.grid(axis="x", visible=False)
    axes.legend(frameon=False)
    axes.yaxis.set_major_formatter(_THOUSANDS)
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set(title="Images per class", xlabel="images in a class", ylabel="classes")


def classes_per_group(axes: Axes, classes: np.ndarray) -> None:
    """A bar for the classes of every group."""
    counts = np.bincount(classes["group_id"])
    axes.bar(np.arange(len(counts)), counts, color=group_colours(len(counts)))
    axes.grid(axis="x", visible=False)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlim(-0.6, max(len(counts), 5) - 0.4)
    axes.set(title="Classes per group", xlabel="group", ylabel="classes")


def images_per_year(axes: Axes, statistics: dict[str, SplitStatistics]) -> None:
    """Stacked bars: the years of every split."""
    years = {year for counts in statistics.values() for year in counts.images_per_year}
    known = sorted(years - {0})
    if not known:
        axes.set_title("Images per year: no image has a timestamp")
        axes.set_axis_off()
        return
    positions = np.arange(known[0], known[-1] + 1)
    bottom = np.zeros(len(positions), np.int64)
    colours = colormaps["viridis"](np.linspace(0.05, 0.9, len(statistics)))
    for (name, counts), colour in zip(statistics.items(), colours, strict=True):
        heights = np.array([counts.images_per_year.get(int(y), 0) for y in positions])
        axes.bar(positions, heights, bottom=bottom, color=colour, label=name)
        bottom += heights
    axes.grid(axis="x", visible=False)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.ticklabel_format(axis="x", useOffset=False, style="plain")
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    axes.yaxis.set_major_formatter(_THOUSANDS)
    axes.set(title="Images per year", xlabel="year", ylabel="images")


def headings(axes: Axes, counts: SplitStatistics, split: str) -> None:
    """Headings around the compass, in bins of ten degrees."""
    width = 2 * np.pi / HEADING_BINS
    centres = (np.arange(HEADING_BINS) + 0.5) * width
    axes.bar(centres, counts.images_per_heading, 0.9 * width, color=_BLUE)
    axes.set_theta_zero_location("N")  # type: ignore[attr-defined]
    axes.set_theta_direction(-1)  # type: ignore[attr-defined]
    axes.set_xticks(np.arange(8) * np.pi / 4)
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.yaxis.set_major_formatter(_THOUSANDS)
    title = f"Headings of {split}, images in 10 degrees"
    if counts.num_without_heading:
        title += f"\n{counts.num_without_heading:,} without heading"
    axes.set_title(title, pad=14)


def zone_title(zone: int) -> str:
    """Returns a signed UTM zone, or 0 of local coordinates, for people."""
    if not zone:
        return "local coordinates"
    return f"UTM zone {abs(zone)} {'north' if zone > 0 else 'south'}"


def group_colours(num_groups: int) -> np.ndarray:
    """One colour a group, neighbours in number apart in hue."""
    if num_groups <= 10:
        return colormaps["tab10"](np.arange(num_groups))
    golden_ratio = 0.618034
    return colormaps["hsv"](np.arange(num_groups) * golden_ratio % 1.0) * [
        0.9,
        0.9,
        0.9,
        1,
    ]
