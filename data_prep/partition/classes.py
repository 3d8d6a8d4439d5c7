"""The table of classes: cell, heading bin, group and centre of each."""

from __future__ import annotations

import numpy as np

from data_prep.partition.cells import ClassKeys
from vpr_tf.config import PartitionConfig
from vpr_tf.data.prepared_dataset import CLASS_DTYPE


def class_table(
    keys: np.ndarray, counts: np.ndarray, class_keys: ClassKeys, config: PartitionConfig
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
