"""The classes of a partition that photos belong to."""

from __future__ import annotations

import numpy as np

from vpr_tf.classification.cells import rows_of
from vpr_tf.classification.class_table import region_cells, require_ground
from vpr_tf.data.partition import Partition
from vpr_tf.geo import Positions
from vpr_tf.search import MISSING_ID

_OF_GRID = ("utm_zone", "cell_east_m", "cell_north_m", "heading_bin_deg")


def own_classes(
    partition: Partition, positions: Positions, heading_deg: np.ndarray
) -> np.ndarray:
    """Returns the class of each photo in each group.

    A class is a cell of the ground and a range of headings (CosPlace,
    arXiv:2204.02287), or a union of S2 cells, of which every group has one. Of a cell
    that is seen in several ways a photo belongs to all classes, whatever it looks at.

    Args:
        partition: Classes and groups.
        positions: Of the photos.
        heading_deg: Of the photos; negative where unknown.

    Returns:
        Class ids, int64 `(num_photos, num_groups)`; -1 where a group has no class for
        the photo, or its position is unknown, or its heading where classes have one.

    Raises:
        ClassificationError: Classes are no cells.
    """
    require_ground(partition, "The class of a position")
    num_groups = partition.num_groups
    if partition.regions is not None:
        no_places = np.empty((0, num_groups), np.int32)
        found = region_cells(partition, num_groups, no_places).classes(positions)
        groups = range(num_groups)
        first = [partition.classes_of_group(group).start for group in groups]
        return np.where(found >= 0, found + first, MISSING_ID)
    size_m = int(partition.parameters["cell_size_m"])
    cells = positions.utm_cm // (100 * size_m) * size_m
    bins = _heading_bins(partition, heading_deg)
    photos = np.column_stack([positions.utm_zone, cells, bins]).astype(np.int64)
    table = np.column_stack([partition.classes[column] for column in _OF_GRID])
    is_known = positions.known & (bins >= 0)
    group_ids = partition.classes["group_id"]
    of_groups = np.full((len(photos), num_groups), MISSING_ID, np.int64)
    for view in range(partition.groups_per_step):
        classes = np.flatnonzero(group_ids % partition.groups_per_step == view)
        places = rows_of(table[classes].astype(np.int64), photos, is_known)
        rows = np.flatnonzero(places >= 0)
        ids = classes[places[rows]]
        of_groups[rows, group_ids[ids]] = ids
    return of_groups


def _heading_bins(partition: Partition, heading_deg: np.ndarray) -> np.ndarray:
    """Returns where each heading's bin begins, int64; -1 if the heading is unknown."""
    headings = np.asarray(heading_deg, np.float64)
    if not partition.has_headings:
        return np.zeros(len(headings), np.int64)
    if partition.parameters.get("heading_360", "zero") == "zero":
        headings = np.where(headings == 360, 0, headings)
    size = int(partition.parameters["heading_bin_deg"])
    bins = np.floor(headings / size).astype(np.int64) * size
    return np.where(headings < 0, MISSING_ID, bins)
