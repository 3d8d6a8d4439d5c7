"""Names of points in a figure, where they hide neither points nor each other."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Left, bottom, right and top in points of the page.
Box = tuple[float, float, float, float]

_FONT_PT = 7.5
_POINT_RADIUS_PT = 4.0
_LINE_RADIUS_PT = 1.0
_NEAREST_PT, _FURTHEST_PT = 6, 60
_NOTHING = np.empty((0, 2))


def place_labels(
    figure: Figure,
    axes: Axes,
    points: Sequence[tuple[float, float]],
    labels: Sequence[str],
    colours: Sequence[str],
    lines: Sequence[Sequence[tuple[float, float]]] = (),
) -> None:
    """Writes a name beside each point.

    Args:
        figure: The figure.
        axes: Axes whose limits are final.
        points: x and y of each, in data.
        labels: Its name.
        colours: Colour of the name.
        lines: Corners of lines that names should not lie on, in data.
    """
    figure.draw_without_rendering()  # the layout decides where points are
    scale = 72 / figure.dpi

    def on_page(data: Sequence[tuple[float, float]]) -> np.ndarray:
        return np.asarray(axes.transData.transform(data)) * scale

    window = axes.get_window_extent()
    left, bottom, right, top = (
        edge * scale for edge in (window.x0, window.y0, window.x1, window.y1)
    )
    sizes = [_size(axes, label, scale) for label in labels]
    offsets = free_places(
        on_page(points),
        sizes,
        (left, bottom, right, top),
        np.concatenate([_along(on_page(line)) for line in lines] or [_NOTHING]),
    )
    for point, label, colour, offset, size in zip(
        points, labels, colours, offsets, sizes, strict=True
    ):
        _annotate(axes, point, label, colour, offset, size)


def free_places(
    points: np.ndarray,
    sizes: Sequence[tuple[float, float]],
    frame: Box,
    obstacles: np.ndarray = _NOTHING,
) -> list[tuple[float, float]]:
    """Chooses a place for each box, near its point, that nothing else takes.

    Args:
        points: `(num_points, 2)` in points of the page.
        sizes: Width and height of each box.
        frame: Boxes should lie inside.
        obstacles: Further small things that should not be hidden, `(num, 2)`.

    Returns:
        Offset of each box's lower left corner from its point. A box that fits nowhere
        takes the place where it hides least.
    """
    taken = [_around(x, y, _POINT_RADIUS_PT) for x, y in points]
    taken += [_around(x, y, _LINE_RADIUS_PT) for x, y in obstacles]
    offsets: list[tuple[float, float]] = [(0.0, 0.0)] * len(points)
    # From the right: these have the least space beside them.
    for row in sorted(range(len(points)), key=lambda row: -points[row][0]):
        x, y = points[row]
        width, height = sizes[row]
        boxes = {
            offset: (
                x + offset[0],
                y + offset[1],
                x + offset[0] + width,
                y + offset[1] + height,
            )
            for offset in _offsets(width, height)
        }
        hidden = {
            offset: _outside(box, frame) + sum(_common(box, other) for other in taken)
            for offset, box in boxes.items()
        }
        offsets[row] = min(hidden, key=lambda offset: hidden[offset])
        taken.append(boxes[offsets[row]])
    return offsets


def _offsets(width: float, height: float) -> list[tuple[float, float]]:
    """Places around a point, the nearest and most usual first."""
    found = []
    for distance in range(_NEAREST_PT, _FURTHEST_PT, 6):
        right, left, middle = distance, -width - distance, -width / 2
        above, below, level = distance - 2, -height - distance + 2, -height / 2
        near = [(right, level), (left, level), (middle, above), (middle, below)]
        corners = itertools.product((right, left), (above, below))
        found += [*near, *corners]
    return found


def _annotate(
    axes: Axes,
    point: tuple[float, float],
    label: str,
    colour: str,
    offset: tuple[float, float],
    size: tuple[float, float],
) -> None:
    """Writes a name; one that is far away is joined to its point."""
    (x, y), (width, height) = offset, size
    # Aligned at the side of the point, since sizes are not quite those of other dpi.
    align = "right" if x + width < 0 else "left" if x > 0 else "center"
    anchor = {"right": x + width, "left": x, "center": x + width / 2}[align]
    away = max(x, -x - width, y, -y - height)
    style: dict[str, Any] = {}
    if away > _NEAREST_PT:
        side = {"right": 1.0, "left": 0.0, "center": 0.5}[align]
        line: dict[str, Any] = {
            "arrowstyle": "-",
            "color": colour,
            "lw": 0.5,
            "shrinkA": 0,
        }
        line |= {"shrinkB": _POINT_RADIUS_PT, "relpos": (side, 0.5)}
        style["arrowprops"] = line
    axes.annotate(
        label,
        point,
        xytext=(anchor, y + height / 2),
        textcoords="offset points",
        va="center",
        ha=align,
        fontsize=_FONT_PT,
        color=colour,
        annotation_clip=False,
        **style,
    )


def _size(axes: Axes, label: str, scale: float) -> tuple[float, float]:
    text = axes.text(0, 0, label, fontsize=_FONT_PT)
    extent = text.get_window_extent()
    text.remove()
    return extent.width * scale, extent.height * scale


def _along(corners: np.ndarray) -> np.ndarray:
    """Returns points along a line, some points of the page apart."""
    steps = np.linspace(0, 1, 40)[:, None]
    pieces = [a + steps * (b - a) for a, b in itertools.pairwise(corners)]
    return np.concatenate(pieces or [_NOTHING])


def _around(x: float, y: float, radius: float) -> Box:
    return (x - radius, y - radius, x + radius, y + radius)


def _common(one: Box, other: Box) -> float:
    """Area that two boxes share."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(0.0, width) * max(0.0, height)


def _outside(box: Box, frame: Box) -> float:
    area = (box[2] - box[0]) * (box[3] - box[1])
    return area - _common(box, frame)
