"""The table of classes: cell, heading bin, group and centre of each; their rows."""

from __future__ import annotations

import numpy as np

from data_prep.partition.cells import ClassKeys
from vpr_tf.config import GridConfig
from vpr_tf.data.prepared_dataset import CLASS_DTYPE

_ROWS_AT_ONCE = 1 << 19


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


def rows_by_class(class_ids: np.ndarray, num_kept: int) -> np.ndarray:
    """Returns the rows that are in a class, int64, sorted by (class, row).

    Args:
        class_ids: Class of every row, -1 for none.
        num_kept: Number of rows that are in a class.
    """
    row_bits = max(len(class_ids).bit_length(), 1)
    packed = np.empty(num_kept, np.int64)
    filled = 0
    for start in range(0, len(class_ids), _ROWS_AT_ONCE):
        piece = class_ids[start : start + _ROWS_AT_ONCE].astype(np.int64)
        rows = np.arange(start, start + len(piece))
        has_class = piece >= 0
        if not has_class.all():
            piece, rows = piece[has_class], rows[has_class]
        packed[filled : filled + len(piece)] = piece << row_bits | rows
        filled += len(piece)
    packed.sort()
    return np.bitwise_and(packed, (1 << row_bits) - 1, out=packed)
