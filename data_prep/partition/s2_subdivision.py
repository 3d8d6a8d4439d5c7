"""Adaptive S2 cells: large where images are rare, small where they are many.

References:
    Weyand et al., PlaNet - Photo Geolocation with Convolutional Neural Networks, ECCV
    2016, arXiv:1602.05314. Mueller-Budack et al., Geolocation Estimation of Photos
    using a Hierarchical Model and Scene Classification, ECCV 2018.
"""

from __future__ import annotations

import numpy as np

from data_prep.partition.assignment import ClassAssignment, ColumnReader
from data_prep.partition.s2_classes import (
    CellGroup,
    assign_cell_classes,
    classes_of_leaves,
    read_positions,
    refuse_only_small,
)
from vpr_tf.config import HierarchicalConfig, PlanetConfig
from vpr_tf.geo.s2_cells import (
    NO_CELL,
    child_cells,
    first_leaves,
    last_leaves,
    parent_cells,
)


def assign_planet_classes(
    read_columns: ColumnReader, config: PlanetConfig
) -> ClassAssignment:
    """Assigns every row to its adaptive cell; one group.

    Args:
        read_columns: Yields `S2_COLUMNS` of all rows.
        config: Smallest and largest number of images, and the finest level.

    Raises:
        DataPrepError: No cell has enough images.
    """
    positions, leaves = read_positions(read_columns)
    maximum = config.max_images_per_class
    group = _group(np.sort(leaves), maximum, config.s2_max_level)
    minimum = config.min_images_per_class
    return assign_cell_classes(positions, leaves, [group], minimum)


def assign_hierarchical_classes(
    read_columns: ColumnReader, config: HierarchicalConfig
) -> ClassAssignment:
    """Assigns every row to a coarse, a middle and a fine adaptive cell; three groups.

    Cells of one group lie inside cells of the group before. An image has a class in
    all groups or in none: those of fine cells that are too small are dropped from all.

    Args:
        read_columns: Yields `S2_COLUMNS` of all rows.
        config: Smallest number of images, three largest ones, and the finest level.

    Raises:
        DataPrepError: No fine cell has enough images.
    """
    positions, leaves = read_positions(read_columns)
    ordered = np.sort(leaves)
    groups = [
        _group(ordered, maximum, config.s2_max_level)
        for maximum in config.max_images_per_level
    ]
    minimum = config.min_images_per_class
    fine = classes_of_leaves(leaves, groups[-1])
    counts = np.bincount(fine)
    refuse_only_small(counts, minimum)
    leaves = np.where(counts[fine] < minimum, NO_CELL, leaves)
    return assign_cell_classes(positions, leaves, groups, minimum)


def _group(ordered_leaves: np.ndarray, max_images: int, max_level: int) -> CellGroup:
    cells = adaptive_cells(ordered_leaves, max_images, max_level)
    return CellGroup(cells, np.arange(len(cells)))


def adaptive_cells(
    ordered_leaves: np.ndarray, max_images: int, max_level: int
) -> np.ndarray:
    """Splits cells with too many images until none is left or they are finest.

    Args:
        ordered_leaves: S2 leaves of the images, uint64, ascending.
        max_images: Cells with more are split in four.
        max_level: Level of the finest cells.

    Returns:
        The cells that hold images, uint64, ascending.
    """
    finished = []
    cells = np.unique(parent_cells(ordered_leaves, 0))
    for level in range(max_level + 1):
        counts = _counts(ordered_leaves, cells)
        is_split = (counts > max_images) & (level < max_level)
        finished.append(cells[(counts > 0) & ~is_split])
        cells = child_cells(cells[is_split]).ravel()
        if not len(cells):
            break
    return np.sort(np.concatenate(finished))


def _counts(ordered_leaves: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Leaves in each cell: along the curve they follow each other."""
    last = np.searchsorted(ordered_leaves, last_leaves(cells), side="right")
    return last - np.searchsorted(ordered_leaves, first_leaves(cells), side="left")
