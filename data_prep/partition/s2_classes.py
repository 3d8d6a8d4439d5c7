"""Classes that are made of S2 cells: their rows, their table and their regions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data_prep.errors import DataPrepError
from data_prep.partition.assignment import (
    ClassAssignment,
    ColumnReader,
    rows_by_class,
)
from data_prep.partition.class_boxes import boxes_of_classes
from vpr_tf.data.partition import REGION_DTYPE
from vpr_tf.data.records import NO_CLASS
from vpr_tf.geo import Positions
from vpr_tf.geo.s2_cells import first_leaves, last_leaves, leaf_cells
from vpr_tf.photos.schema import table_columns


@dataclass(frozen=True)
class CellGroup:
    """S2 cells of one group and the class that each belongs to.

    Attributes:
        cells: Uint64, ascending; none holds another.
        class_index: Int64, 0 to the number of classes of the group - 1.
    """

    cells: np.ndarray
    class_index: np.ndarray


def read_positions(read_columns: ColumnReader) -> tuple[Positions, np.ndarray]:
    """Reads `S2_COLUMNS` of all rows.

    Returns:
        The positions and their S2 leaves.

    Raises:
        DataPrepError: There are no rows, or no S2 library.
    """
    pieces = list(read_columns())
    if not sum(len(piece[0]) for piece in pieces):
        raise DataPrepError("There are no train images to partition.")
    east, north, zone, latitude, longitude = (
        np.concatenate(column) for column in zip(*pieces, strict=True)
    )
    degrees = table_columns({"latitude_e7": latitude, "longitude_e7": longitude})
    positions = Positions(east, north, zone, *degrees.values())
    try:
        positions.refuse_local("A partition of S2 cells")
        leaves = leaf_cells(positions.latitude_deg, positions.longitude_deg)
    except (ImportError, ValueError) as error:
        raise DataPrepError(str(error)) from error
    return positions, leaves


def classes_of_leaves(leaves: np.ndarray, group: CellGroup) -> np.ndarray:
    """Returns the class index that every leaf lies in, -1 for none, int64."""
    place = np.searchsorted(first_leaves(group.cells), leaves, side="right") - 1
    inside = (place >= 0) & (leaves <= last_leaves(group.cells)[place])
    return np.where(inside, group.class_index[place], NO_CLASS)


def assign_cell_classes(
    positions: Positions,
    leaves: np.ndarray,
    groups: list[CellGroup],
    min_images: int,
) -> ClassAssignment:
    """Drops small classes and describes the others.

    Args:
        positions: Of every row.
        leaves: S2 leaf of every row; a row with `NO_CELL` is in no class.
        groups: Cells and classes of each group.
        min_images: Classes with fewer are dropped.

    Raises:
        DataPrepError: A group has no class with enough images.
    """
    num_rows, num_classes = len(leaves), 0
    classes, regions, counts, record_ids = [], [], [], []
    first_ids = np.full(num_rows, NO_CLASS, np.int32)
    in_a_class = np.zeros(num_rows, bool)
    for group_id, group in enumerate(groups):
        kept, class_index = _drop_small(leaves, group, min_images)
        sizes = np.bincount(class_index[class_index >= 0])
        rows = rows_by_class(class_index, int(sizes.sum()))
        classes.append(boxes_of_classes(positions, rows, sizes, group_id))
        regions.append(_region_table(kept, num_classes))
        counts.append(sizes)
        record_ids.append(rows)
        if group_id == 0:
            first_ids = class_index.astype(np.int32)
        in_a_class |= class_index >= 0
        num_classes += len(sizes)
    num_given = sum(int(group.class_index.max()) + 1 for group in groups)
    return ClassAssignment(
        classes=np.concatenate(classes),
        class_offsets=np.cumsum(np.concatenate([[0], *counts])),
        record_ids=np.concatenate(record_ids),
        class_ids=first_ids,
        num_dropped_classes=num_given - num_classes,
        num_dropped_images=int(np.count_nonzero(~in_a_class)),
        num_without_heading=0,
        regions=np.concatenate(regions),
    )


def _drop_small(
    leaves: np.ndarray, group: CellGroup, min_images: int
) -> tuple[CellGroup, np.ndarray]:
    """Returns the group without small classes, and the class of every leaf in it."""
    class_index = classes_of_leaves(leaves, group)
    num_classes = int(group.class_index.max()) + 1
    counts = np.bincount(class_index[class_index >= 0], minlength=num_classes)
    is_kept = counts >= min_images
    refuse_only_small(counts, min_images)
    new_index = np.where(is_kept, np.cumsum(is_kept) - 1, NO_CLASS)
    of_cells = new_index[group.class_index]
    kept = CellGroup(group.cells[of_cells >= 0], of_cells[of_cells >= 0])
    return kept, np.append(new_index, NO_CLASS)[class_index]


def refuse_only_small(counts: np.ndarray, min_images: int) -> None:
    """Raises a `DataPrepError` when no class has enough images."""
    if counts.max() < min_images:
        raise DataPrepError(
            f"No class has enough images: the largest has {counts.max()}, but "
            f"`build.partition.min_images_per_class` is {min_images}. Lower it or "
            "allow larger cells."
        )


def _region_table(group: CellGroup, first_class_id: int) -> np.ndarray:
    regions = np.empty(len(group.cells), REGION_DTYPE)
    regions["first_leaf"] = first_leaves(group.cells)
    regions["last_leaf"] = last_leaves(group.cells)
    regions["class_id"] = first_class_id + group.class_index
    return regions
