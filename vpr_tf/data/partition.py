"""Classes and groups over the train split of a dataset, and their files."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from vpr_tf.data.stored_columns import read_checked
from vpr_tf.stored_files import StoredFile
from vpr_tf.stored_paths import inside
from vpr_tf.stored_values import from_stored, read_json

# Row i of `partitions/<name>/classes.npy` is class_id i; rows are sorted by group, so
# the classes of a group are consecutive and class_index = class_id - first of group.
CLASS_DTYPE = np.dtype(
    [
        ("group_id", "<i4"),
        ("group_east", "<i4"),
        ("group_north", "<i4"),
        ("group_heading", "<i4"),
        ("cell_east_m", "<i8"),
        ("cell_north_m", "<i8"),
        ("heading_bin_deg", "<i4"),
        ("utm_zone", "<i2"),
        ("centre_east_m", "<f8"),
        ("centre_north_m", "<f8"),
        ("num_images", "<i8"),
    ]
)

# A method with focal points has as many classes a cell, in groups of their own: group
# 2 g + v holds view v, 0 lateral and 1 frontal, of the cells of group g of the grid.
FOCAL_VIEWS = ("lateral", "frontal")
NUM_FOCAL_VIEWS = len(FOCAL_VIEWS)

# Rows of `partitions/<name>/regions.npy`, of partitions of S2 cells: intervals of leaf
# ids, one S2 cell each, sorted by (group of the class, first_leaf). Those of a group
# are disjoint; a class may have several.
REGION_DTYPE = np.dtype(
    [("first_leaf", "<u8"), ("last_leaf", "<u8"), ("class_id", "<i4")]
)


@dataclass(frozen=True)
class Partition:
    """Classes and groups over the train split.

    Attributes:
        name: Name of the folder under `partitions/`.
        parameters: The `PartitionConfig` fields that made it.
        classes: Rows of `CLASS_DTYPE`; the row number is the class id.
        class_offsets: `(num_classes + 1,)`; the records of class c are
            `record_ids[class_offsets[c]:class_offsets[c + 1]]`.
        record_ids: Positions in the train split's index; an image may be in a class
            of several groups.
        regions: Rows of `REGION_DTYPE`, the ground of each class; None where it is not
            made of S2 cells.
        focal_points: Where the photos of each class look, in UTM metres, float64
            `(num_classes, 2)`; None where they do not look at a point.
    """

    name: str
    parameters: dict[str, Any]
    classes: np.ndarray
    class_offsets: np.ndarray
    record_ids: np.ndarray
    regions: np.ndarray | None = None
    focal_points: np.ndarray | None = None

    @property
    def groups_per_step(self) -> int:
        """Consecutive groups that train together: one cell's classes, seen apart."""
        return 1 if self.focal_points is None else NUM_FOCAL_VIEWS

    @property
    def cuts_panoramas(self) -> bool:
        """Whether training cuts photos towards the focal points of their classes."""
        return self.parameters.get("photos") == "panoramas"

    @property
    def has_headings(self) -> bool:
        """Whether classes of the same cell differ in their heading."""
        ignored = self.parameters.get("missing_heading") == "ignore"
        return self.is_grid and not ignored

    @property
    def is_grid(self) -> bool:
        """Whether classes are square cells."""
        return self.regions is None and "cell_size_m" in self.parameters

    @property
    def has_ground(self) -> bool:
        """Whether classes are cells, so that it is known which one a position is in.

        The classes of numbered places have photos, and no ground.
        """
        return self.is_grid or self.regions is not None

    @property
    def num_groups(self) -> int:
        """Number of groups that hold at least one class."""
        return int(self.classes["group_id"][-1]) + 1 if len(self.classes) else 0

    def classes_of_group(self, group_id: int) -> range:
        """Returns the consecutive class ids of one group."""
        first, last = np.searchsorted(
            self.classes["group_id"], [group_id, group_id + 1]
        )
        return range(int(first), int(last))


@dataclass(frozen=True)
class _Description:
    parameters: dict[str, Any]
    files: dict[str, StoredFile] = field(default_factory=dict)


def read_partition(folder: Path, name: str) -> Partition:
    """Reads the folder of a partition.

    Raises:
        OSError: A file cannot be read.
        ValueError: A file is a link, or not what was written.
    """
    content = read_json(inside(folder, "partition.json"))
    description = from_stored(_Description, content, more=True)

    def read(column: str) -> np.ndarray:
        file = f"{column}.npy"
        stored = description.files.get(file)
        return read_checked(inside(folder, file), stored, mapped=False)

    def read_if_any(column: str) -> np.ndarray | None:
        is_there = inside(folder, f"{column}.npy").is_file()
        return read(column) if is_there else None

    partition = Partition(
        name,
        description.parameters,
        read("classes"),
        read("class_offsets"),
        read("record_ids"),
        read_if_any("regions"),
        read_if_any("focal_points"),
    )
    _check(partition)
    return partition


def _check(partition: Partition) -> None:
    """Refuses arrays that do not fit together."""
    offsets, ids, regions = (
        partition.class_offsets,
        partition.record_ids,
        partition.regions,
    )
    num_classes = len(partition.classes)
    if partition.classes.dtype != CLASS_DTYPE or partition.classes.ndim != 1:
        raise ValueError(f"classes.npy has the type {partition.classes.dtype}")
    if offsets.dtype.kind not in "iu" or offsets.shape != (num_classes + 1,):
        raise ValueError(f"class_offsets.npy must be of {num_classes} classes")
    if ids.dtype.kind not in "iu" or ids.ndim != 1 or ids.min(initial=0) < 0:
        raise ValueError("record_ids.npy must hold places of records")
    if offsets[0] != 0 or offsets[-1] != len(ids) or (np.diff(offsets) < 0).any():
        raise ValueError("class_offsets.npy and record_ids.npy do not fit together")
    if regions is not None and (regions.dtype != REGION_DTYPE or regions.ndim != 1):
        raise ValueError(f"regions.npy has the type {regions.dtype}")
    points = partition.focal_points
    if points is not None and (
        points.dtype != np.float64
        or points.shape != (num_classes, 2)
        or not np.isfinite(points).all()
    ):
        raise ValueError("focal_points.npy must hold a position of each class")
