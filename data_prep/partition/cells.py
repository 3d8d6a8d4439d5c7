"""Cells and heading bins as numbers, packed class keys, and the table of classes.

All are whole numbers of cells or bins, not metres or degrees: cell 54405 with M = 10
begins at 544,050 m.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data_prep.errors import DataPrepError
from vpr_tf.config import GridConfig
from vpr_tf.data.partition import CLASS_DTYPE

DEGREES_OF_A_TURN = 360
_LARGEST_KEY = 1 << 62


@dataclass(frozen=True)
class Box:
    """The cells that the images of one UTM zone span.

    Attributes:
        zone: Signed UTM zone.
        east: First cell.
        north: First cell.
        num_east: Number of cells.
        num_north: Number of cells.
        first_key: Key of the first class of the box.
    """

    zone: int
    east: int
    north: int
    num_east: int
    num_north: int
    first_key: int


class ClassKeys:
    """Numbers the possible classes of a dataset, in the order (zone, east, north, bin).

    Zones have a box each, so that cities far apart need no keys for the land between.

    Args:
        boxes: Boxes sorted by zone, as `find_boxes` returns them.
        num_bins: Heading bins of a cell.
    """

    def __init__(self, boxes: list[Box], num_bins: int) -> None:
        self.boxes = boxes
        self.num_bins = num_bins
        last = boxes[-1] if boxes else None
        self.num_keys = (
            last.first_key + last.num_east * last.num_north * num_bins if last else 0
        )

    def pack(
        self, east: np.ndarray, north: np.ndarray, zone: np.ndarray, bins: np.ndarray
    ) -> np.ndarray:
        """Returns the int64 key of every row."""
        if len(self.boxes) == 1:
            return self._pack_box(self.boxes[0], east, north, bins)
        keys = np.empty(len(east), np.int64)
        for box in self.boxes:
            rows = np.flatnonzero(zone == box.zone)
            if len(rows):
                keys[rows] = self._pack_box(box, east[rows], north[rows], bins[rows])
        return keys

    def _pack_box(
        self, box: Box, east: np.ndarray, north: np.ndarray, bins: np.ndarray
    ) -> np.ndarray:
        keys = east - box.east
        keys *= box.num_north
        keys += north
        keys -= box.north
        keys *= self.num_bins
        keys += bins
        keys += box.first_key
        return keys

    def unpack(
        self, keys: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Returns cell east, cell north, zone and heading bin of every key."""
        first_keys = np.array([box.first_key for box in self.boxes])
        number = np.searchsorted(first_keys, keys, side="right") - 1
        corners = np.array(
            [(b.east, b.north, b.num_north, b.zone) for b in self.boxes], np.int64
        ).reshape(-1, 4)[number]
        cells, bins = np.divmod(keys - first_keys[number], self.num_bins)
        east, north = np.divmod(cells, corners[:, 2])
        return east + corners[:, 0], north + corners[:, 1], corners[:, 3], bins


def num_heading_bins(config: GridConfig) -> int:
    """Number of heading bins; one when headings are ignored."""
    if config.missing_heading == "ignore":
        return 1
    if config.heading_360 == "own_bin":
        return DEGREES_OF_A_TURN // config.heading_bin_deg + 1
    return -(-DEGREES_OF_A_TURN // config.heading_bin_deg)


def cells_of(position_cm: np.ndarray, cell_size_m: int) -> np.ndarray:
    """Returns floor(position / M): exact, because the centimetres are."""
    return np.floor_divide(position_cm, 100 * cell_size_m, dtype=np.int64)


def heading_bins_of(heading_deg: np.ndarray, config: GridConfig) -> np.ndarray:
    """Returns floor(heading / alpha), int64; -1 for a missing heading.

    float32 headings divided in float64 give the exact floor.
    """
    if config.missing_heading == "ignore":
        return np.zeros(len(heading_deg), np.int64)
    degrees = heading_deg.astype(np.float64)
    if config.heading_360 == "zero":
        degrees[degrees == DEGREES_OF_A_TURN] = 0.0
    degrees /= config.heading_bin_deg
    bins = np.floor(degrees, out=degrees).astype(np.int64)
    bins[heading_deg < 0] = -1
    return bins


def find_boxes(
    extents: dict[int, tuple[int, int, int, int]], num_bins: int
) -> list[Box]:
    """Returns the box of every zone, sorted by zone.

    Args:
        extents: First and last cell east, first and last cell north, by zone.
        num_bins: Heading bins of a cell.

    Raises:
        DataPrepError: The boxes hold more classes than int64 can number.
    """
    boxes = []
    first_key = 0
    for zone, (west, east, south, north) in sorted(extents.items()):
        box = Box(zone, west, south, east - west + 1, north - south + 1, first_key)
        boxes.append(box)
        first_key += box.num_east * box.num_north * num_bins
    if first_key > _LARGEST_KEY:
        raise DataPrepError(
            f"The positions span {first_key:.2g} possible classes, more than can be "
            "numbered. Look for wrong positions or enlarge the cells."
        )
    return boxes


def class_table(
    keys: np.ndarray, counts: np.ndarray, class_keys: ClassKeys, config: GridConfig
) -> tuple[np.ndarray, np.ndarray]:
    """Describes classes and sorts them by group.

    Groups are numbered from 0 in the order (east, north, heading) of those that
    occur; a group keeps its classes in the order of their keys.

    Args:
        keys: Class keys, ascending.
        counts: Images of each.
        class_keys: Numbering of the keys.
        config: M, alpha, N, L.

    Returns:
        Rows of `CLASS_DTYPE`, and the position in `keys` of each.
    """
    east, north, zone, bins = class_keys.unpack(keys)
    stride, heading_stride = config.cell_stride, config.heading_stride
    group_east, group_north = east % stride, north % stride
    group_heading = bins % heading_stride
    group = (group_east * stride + group_north) * heading_stride + group_heading
    order = np.argsort(group, kind="stable")
    classes = np.empty(len(keys), CLASS_DTYPE)
    classes["group_id"] = np.unique(group, return_inverse=True)[1][order]
    classes["group_east"] = group_east[order]
    classes["group_north"] = group_north[order]
    classes["group_heading"] = group_heading[order]
    size_m = config.cell_size_m
    classes["cell_east_m"] = east[order] * size_m
    classes["cell_north_m"] = north[order] * size_m
    classes["heading_bin_deg"] = bins[order] * config.heading_bin_deg
    classes["utm_zone"] = zone[order]
    classes["centre_east_m"] = classes["cell_east_m"] + size_m / 2
    classes["centre_north_m"] = classes["cell_north_m"] + size_m / 2
    classes["num_images"] = counts[order]
    return classes, order
