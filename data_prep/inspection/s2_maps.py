"""Maps of classes that are made of S2 cells, a panel for each group."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import hsv_to_rgb

from data_prep.inspection.figures import draw_panels, zone_title
from vpr_tf.data import Partition
from vpr_tf.geo import Positions, wrap_degrees
from vpr_tf.geo.s2_cells import cell_corners

_GREY = (0.87, 0.88, 0.9)
_LEGIBLE = 0.008  # of the map's width, half of the cells
_SMALLEST_EXTENT_KM = 0.02
_FARTHEST_DEG = 9.0  # from the middle of a UTM zone
_MOST_DOTS = 30_000
_MARGIN = 0.04  # of the map's width, around the images


def draw_cells(
    path: Path, partition: Partition, images: Positions, dropped: np.ndarray, zone: int
) -> Path:
    """Draws the cells of every group that hold classes of one UTM zone.

    Args:
        path: PNG file.
        partition: A partition with regions.
        images: Positions of the train images.
        dropped: Regions of classes below the minimum; their class ids are groups.
        zone: Signed UTM zone.
    """
    images = images.take(np.flatnonzero(images.utm_zone == zone))
    places = np.unique(images.utm_cm, axis=0) / 1e5
    draw_axes: list[Callable[[Axes], None]] = []
    for group in range(partition.num_groups):
        ids = partition.classes_of_group(group)
        regions = _regions_of(partition, ids, zone)
        grey = dropped[dropped["class_id"] == group]
        count = len(np.unique(regions["class_id"]))
        title = f"group {group}: {count:,} classes, {len(regions):,} cells"
        panel = partial(
            _draw_panel,
            title=title,
            cells=_corners_km(regions, zone),
            class_index=regions["class_id"] - ids.start,
            dropped=_corners_km(grey, zone),
            places=places,
        )
        draw_axes.append(panel)
    title = f"{partition.name}: classes by colour, {zone_title(zone)}"
    return draw_panels(path, draw_axes, title, _height_over_width(places))


def _regions_of(partition: Partition, ids: range, zone: int) -> np.ndarray:
    regions = partition.regions
    if regions is None:
        raise ValueError(f"The partition {partition.name!r} has no regions to draw.")
    in_group = (regions["class_id"] >= ids.start) & (regions["class_id"] < ids.stop)
    regions = regions[in_group]
    return regions[partition.classes["utm_zone"][regions["class_id"]] == zone]


def _corners_km(regions: np.ndarray, zone: int) -> np.ndarray:
    """Corners of cells in kilometres of UTM, `(num_cells, 4, 2)`.

    Those of cells that reach far beyond the zone are moved to where UTM can tell.
    """
    if not len(regions):
        return np.empty((0, 4, 2))
    half = (regions["last_leaf"] - regions["first_leaf"]) // np.uint64(2)
    corners = cell_corners(regions["first_leaf"] + half).reshape(-1, 2)
    meridian_deg = 6 * abs(zone) - 183
    off_meridian = wrap_degrees(corners[:, 1] - meridian_deg)
    longitude = meridian_deg + np.clip(off_meridian, -_FARTHEST_DEG, _FARTHEST_DEG)
    latitude = np.clip(corners[:, 0], -80, 84)
    unknown = np.zeros(len(corners), np.int64)
    positions = Positions(unknown, unknown, unknown, latitude, longitude)
    positions = positions.projected_to(zone)
    return positions.utm_cm.reshape(-1, 4, 2) / 1e5


def _draw_panel(
    axes: Axes,
    title: str,
    cells: np.ndarray,
    class_index: np.ndarray,
    dropped: np.ndarray,
    places: np.ndarray,
) -> None:
    colours = _class_colours(class_index)
    low, high = places.min(axis=0), places.max(axis=0)
    extent = max((high - low).max(), _SMALLEST_EXTENT_KM)
    # Cells that would be too small to see are drawn larger, and nothing over them.
    widths = np.ptp(cells[:, :, 0], axis=1)
    is_legible = np.mean(widths > _LEGIBLE * extent) > 0.5 if len(widths) else False
    line_width = 0.4 if is_legible else 2.5
    axes.add_collection(
        PolyCollection(
            [*dropped, *cells],
            facecolors=np.concatenate([np.tile(_GREY, (len(dropped), 1)), colours]),
            edgecolors="face",
            linewidths=line_width,
        )
    )
    if is_legible:
        edges, step = _borders(cells, class_index), -(-len(places) // _MOST_DOTS)
        axes.add_collection(LineCollection(list(edges), colors="white", linewidths=0.7))
        axes.plot(*places[::step].T, ".", color="#202428", markersize=1.2, alpha=0.6)
    margin = _MARGIN * extent
    axes.set_xlim(low[0] - margin, high[0] + margin)
    axes.set_ylim(low[1] - margin, high[1] + margin)
    axes.set_aspect("equal")
    axes.grid(visible=False)
    axes.ticklabel_format(useOffset=False, style="plain")
    axes.tick_params(axis="x", rotation=30)
    axes.set(title=title, xlabel="UTM east [km]", ylabel="UTM north [km]")


def _borders(cells: np.ndarray, class_index: np.ndarray) -> np.ndarray:
    """Edges of cells that do not lie inside a class, `(num_edges, 2, 2)`."""
    edges = np.stack([cells, np.roll(cells, -1, axis=1)], axis=2).reshape(-1, 2, 2)
    _, corners = np.unique(cells.reshape(-1, 2), axis=0, return_inverse=True)
    corners = corners.reshape(-1, 4)
    ends = np.stack([corners, np.roll(corners, -1, axis=1)], axis=2).reshape(-1, 2)
    keys = np.column_stack([np.repeat(class_index, 4), np.sort(ends, axis=1)])
    _, first, counts = np.unique(keys, axis=0, return_index=True, return_counts=True)
    return edges[first[counts == 1]]


def _class_colours(class_index: np.ndarray) -> np.ndarray:
    """Colours that tell classes with near numbers, so neighbours, apart."""
    golden_ratio = 0.618034
    hue = class_index * golden_ratio % 1.0
    saturation = np.array([0.3, 0.6, 0.45])[class_index % 3]
    value = np.array([0.92, 0.8, 0.68, 0.86])[class_index % 4]
    return hsv_to_rgb(np.stack([hue, saturation, value], axis=-1))


def _height_over_width(places: np.ndarray) -> float:
    width, height = np.ptp(places, axis=0) + _SMALLEST_EXTENT_KM
    return float(np.clip(height / width, 0.3, 2.5))
