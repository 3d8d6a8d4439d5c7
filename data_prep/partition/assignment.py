"""Classes and groups of the images of a split, by the method of the config."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from vpr_tf.config import PartitionConfig
from vpr_tf.photos.schema import POSITION_COLUMNS

_ROWS_AT_ONCE = 1 << 19
# Columns of some rows of the record index, those that `needed_columns` names.
Columns = tuple[np.ndarray, ...]
# Starts reading all rows from the first, a piece at a time.
ColumnReader = Callable[[], Iterable[Columns]]

_GRID_COLUMNS = ("utm_east_cm", "utm_north_cm", "utm_zone", "heading_deg")
S2_COLUMNS = POSITION_COLUMNS
# Module and function of each method, taking (read_columns, config).
_GRID = ("data_prep.partition.grid", "assign_grid_classes")
_METHODS = {
    "cosplace": _GRID,
    "divide_and_classify": _GRID,
    "planet": ("data_prep.partition.s2_subdivision", "assign_planet_classes"),
    "hierarchical": (
        "data_prep.partition.s2_subdivision",
        "assign_hierarchical_classes",
    ),
    "combinatorial": (
        "data_prep.partition.s2_merging",
        "assign_combinatorial_classes",
    ),
}


@dataclass(frozen=True)
class ClassAssignment:
    """The classes of a partition and the class of every row.

    Attributes:
        classes: Rows of `CLASS_DTYPE`, sorted by group; the row number is the class id.
        class_offsets: `(num_classes + 1,)` int64 into `record_ids`.
        record_ids: Row numbers, int64, class after class and ascending in each.
        class_ids: `(num_rows,)` int32, -1 for a row in no class. Of methods that give
            an image a class in every group, the class in the first.
        num_dropped_classes: Classes with fewer images than the minimum.
        num_dropped_images: Images in those and in no other class.
        num_without_heading: Images in no class because their heading is missing.
        regions: Rows of `REGION_DTYPE`, of classes that are made of S2 cells.
    """

    classes: np.ndarray
    class_offsets: np.ndarray
    record_ids: np.ndarray
    class_ids: np.ndarray
    num_dropped_classes: int
    num_dropped_images: int
    num_without_heading: int
    regions: np.ndarray | None = None

    @property
    def num_images(self) -> int:
        """Number of rows that are in a class."""
        return len(self.class_ids) - self.num_dropped_images - self.num_without_heading


def needed_columns(config: PartitionConfig) -> tuple[str, ...]:
    """Names the columns of the record index that a partition is made from."""
    return _GRID_COLUMNS if _METHODS[config.method] == _GRID else S2_COLUMNS


def assign_classes(
    read_columns: ColumnReader, config: PartitionConfig
) -> ClassAssignment:
    """Assigns every row to a class and every class to a group.

    Args:
        read_columns: May be called twice; yields `needed_columns` of all rows in order.
        config: The method and its fields.

    Raises:
        DataPrepError: No class has enough images, or the method cannot use the rows.
    """
    module_name, function_name = _METHODS[config.method]
    assign = getattr(importlib.import_module(module_name), function_name)
    assignment: ClassAssignment = assign(read_columns, config)
    return assignment


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
