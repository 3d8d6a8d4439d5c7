"""Maps of classes that are cells of a grid and headings, or points; a panel a group.

Headings are those of a class's bin, or those towards its focal point. Points are the
middles of numbered places.

In one map the groups would hide each other: a cell has classes of several.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.path import Path as Outline
from matplotlib.transforms import IdentityTransform

from data_prep.inspection.figures import (
    GREY,
    draw_panels,
    group_colours,
    panel_width_in,
    zone_title,
)
from vpr_tf.config import EigenPlacesConfig, GridConfig, PartitionConfig
from vpr_tf.data.partition import FOCAL_VIEWS, NUM_FOCAL_VIEWS
from vpr_tf.geo import bearings_deg

_SMALLEST_EXTENT_KM = 0.1
_MARGIN = 0.04  # of the extent
_RADII_PT = (1.2, 12.0)  # of a cell as it is drawn
_FOCAL_WEDGE_DEG = 60  # about the field of view of a photo
_FOCAL_STEP_DEG = 5  # to which directions are rounded, for few different wedges
_LEGIBLE_PT = 2.5  # of a smaller cell the headings cannot be seen


def draw_class_map(
    path: Path,
    classes: np.ndarray,
    dropped: np.ndarray,
    config: PartitionConfig,
    zone: int,
    focal_points: tuple[np.ndarray, np.ndarray] | None = None,
) -> Path:
    """Draws the classes of every group in one UTM zone, wedges for their headings.

    Args:
        path: PNG file.
        classes: Rows of `CLASS_DTYPE`.
        dropped: The same, of classes below the minimum.
        config: What made them.
        zone: Signed UTM zone, or 0.
        focal_points: UTM metres that the photos of these and of those classes look
            at, if they do; the wedges then point to them.
    """
    num_groups = int(classes["group_id"].max()) + 1
    if focal_points is not None:
        classes, dropped = map(_towards, (classes, dropped), focal_points)
    classes, dropped = (each[each["utm_zone"] == zone] for each in (classes, dropped))
    centres = _kilometres(np.concatenate([classes, dropped]))
    low, high = centres.min(axis=0), centres.max(axis=0)
    extent = np.maximum(high - low, _SMALLEST_EXTENT_KM)
    # As large as neighbours in a group allow, or as few classes need to be seen.
    apart_km = 0.0
    if isinstance(config, GridConfig):
        apart_km = config.cell_size_m * config.cell_stride / 1000
    width_pt = 0.8 * 72 * panel_width_in(num_groups)
    seen_pt = 0.14 * width_pt / max(len(classes) / num_groups, 1) ** 0.5
    radius_pt = max(0.48 * apart_km / extent[0] * width_pt, seen_pt)
    radius_pt = float(np.clip(radius_pt, *_RADII_PT))
    limits = (low - _MARGIN * extent.max(), high + _MARGIN * extent.max())
    width_deg = _width_deg(config) if radius_pt >= _LEGIBLE_PT else 360
    draw_axes = [
        partial(
            _draw_group,
            title=f"group {group}{_view(config, group)}: "
            f"{np.sum(classes['group_id'] == group):,} classes",
            colour=colour,
            classes=classes[classes["group_id"] == group],
            dropped=dropped[dropped["group_id"] == group],
            limits=limits,
            radius_pt=radius_pt,
            width_deg=width_deg,
        )
        for group, colour in enumerate(group_colours(num_groups))
    ]
    title = f"{config.name}: {len(classes):,} classes, {zone_title(zone)}"
    if len(dropped):
        title += f"; grey: {len(dropped):,} dropped"
    ratio = float(np.clip(extent[1] / extent[0], 0.3, 2.5))
    return draw_panels(path, draw_axes, title, ratio)


def _width_deg(config: PartitionConfig) -> int:
    """Returns how many headings a wedge shows, 360 where classes have none."""
    if isinstance(config, EigenPlacesConfig):
        return _FOCAL_WEDGE_DEG
    if not isinstance(config, GridConfig) or config.missing_heading == "ignore":
        return 360
    return config.heading_bin_deg


def _view(config: PartitionConfig, group: int) -> str:
    if not isinstance(config, EigenPlacesConfig):
        return ""
    return f", {FOCAL_VIEWS[group % NUM_FOCAL_VIEWS]}"


def _towards(classes: np.ndarray, points_m: np.ndarray) -> np.ndarray:
    """Puts headings from the middles of cells to points in the place of the bins."""
    middles_m = np.stack([classes["centre_east_m"], classes["centre_north_m"]], axis=1)
    turned = classes.copy()
    steps = np.round(bearings_deg(middles_m, points_m) / _FOCAL_STEP_DEG)
    turned["heading_bin_deg"] = steps * _FOCAL_STEP_DEG - _FOCAL_WEDGE_DEG // 2
    return turned


def _draw_group(
    axes: Axes,
    title: str,
    colour: np.ndarray,
    classes: np.ndarray,
    dropped: np.ndarray,
    limits: tuple[np.ndarray, np.ndarray],
    radius_pt: float,
    width_deg: int,
) -> None:
    (west, south), (east, north) = limits
    axes.set_xlim(west, east)
    axes.set_ylim(south, north)
    for rows, face in ((dropped, GREY), (classes, colour)):
        for start_deg in np.unique(rows["heading_bin_deg"]).tolist():
            bin_ = rows[rows["heading_bin_deg"] == start_deg]
            axes.add_collection(
                PolyCollection(
                    [_wedge(start_deg, width_deg)],
                    sizes=[radius_pt**2],
                    offsets=_kilometres(bin_),
                    offset_transform=axes.transData,
                    transform=IdentityTransform(),  # sizes are points
                    facecolors=[face],
                    linewidths=0,
                )
            )
    axes.set_aspect("equal")
    axes.grid(visible=False)
    axes.ticklabel_format(useOffset=False, style="plain")
    axes.tick_params(axis="x", rotation=30)
    axes.set(title=title, xlabel="east [km]", ylabel="north [km]")


def _wedge(start_deg: int, width_deg: int) -> np.ndarray:
    """Returns the outline of headings from one on, clockwise from north, radius 1."""
    if width_deg >= 360:
        return np.asarray(Outline.unit_circle().to_polygons()[0])
    outline = Outline.wedge(90 - start_deg - width_deg, 90 - start_deg)
    return np.asarray(outline.to_polygons()[0])


def _kilometres(classes: np.ndarray) -> np.ndarray:
    return np.stack([classes["centre_east_m"], classes["centre_north_m"]], axis=1) / 1e3
