"""Classes and groups of the images of a split, and their files beside the shards."""

from __future__ import annotations

import importlib
import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from data_prep.errors import DataPrepError, wrap_disk_errors
from vpr_tf.atomic_files import new_folder
from vpr_tf.config import PartitionConfig
from vpr_tf.data import PreparedDataset, SplitIndex
from vpr_tf.photos.schema import POSITION_COLUMNS
from vpr_tf.stored_files import StoredFile
from vpr_tf.stored_paths import inside

# Columns of some rows of the record index, those that `needed_columns` names.
Columns = tuple[np.ndarray, ...]
# Starts reading all rows from the first, a piece at a time.
ColumnReader = Callable[[], Iterable[Columns]]

_GRID_COLUMNS = ("utm_east_cm", "utm_north_cm", "utm_zone", "heading_deg")
S2_COLUMNS = POSITION_COLUMNS
_PLACE_COLUMNS = (*POSITION_COLUMNS, "place_id")
# Module and function of each method, taking (read_columns, config).
_GRID = ("data_prep.partition.grid", "assign_grid_classes")
_FOCAL = ("data_prep.partition.focal_points", "assign_focal_classes")
_METHODS = {
    "cosplace": _GRID,
    "divide_and_classify": _GRID,
    "eigenplaces": _FOCAL,
    "planet": ("data_prep.partition.s2_subdivision", "assign_planet_classes"),
    "hierarchical": (
        "data_prep.partition.s2_subdivision",
        "assign_hierarchical_classes",
    ),
    "combinatorial": (
        "data_prep.partition.s2_merging",
        "assign_combinatorial_classes",
    ),
    "place_ids": ("data_prep.partition.numbered_places", "assign_place_classes"),
}
_ROWS_AT_ONCE = 1 << 19


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
        num_not_kept: Images in no class because theirs has enough without them, or
            because they do not look at its focal point.
        num_without_place: Images in no class because their place has no number.
        regions: Rows of `REGION_DTYPE`, of classes that are made of S2 cells.
        focal_points: UTM metres of each class, `(num_classes, 2)`, of classes whose
            images look at a point.
    """

    classes: np.ndarray
    class_offsets: np.ndarray
    record_ids: np.ndarray
    class_ids: np.ndarray
    num_dropped_classes: int
    num_dropped_images: int
    num_without_heading: int
    num_not_kept: int = 0
    num_without_place: int = 0
    regions: np.ndarray | None = None
    focal_points: np.ndarray | None = None

    @property
    def num_images(self) -> int:
        """Number of rows that are in a class."""
        in_none = self.num_dropped_images + self.num_without_heading + self.num_not_kept
        return len(self.class_ids) - in_none - self.num_without_place


def needed_columns(config: PartitionConfig) -> tuple[str, ...]:
    """Names the columns of the record index that a partition is made from."""
    if config.method == "place_ids":
        return _PLACE_COLUMNS
    of_grid = _METHODS[config.method] in (_GRID, _FOCAL)
    return _GRID_COLUMNS if of_grid else S2_COLUMNS


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


def write_partition(
    dataset_path: Path, assignment: ClassAssignment, config: PartitionConfig
) -> None:
    """Writes `partitions/<name>/`, whole or not at all."""
    folder = inside(dataset_path, "partitions", config.name)
    beside = dataset_path / folder.name
    with wrap_disk_errors(folder), new_folder(beside) as temporary:
        np.save(temporary / "classes.npy", assignment.classes)
        np.save(temporary / "class_offsets.npy", assignment.class_offsets)
        np.save(temporary / "record_ids.npy", assignment.record_ids)
        if assignment.regions is not None:
            np.save(temporary / "regions.npy", assignment.regions)
        if assignment.focal_points is not None:
            np.save(temporary / "focal_points.npy", assignment.focal_points)
        files = {path.name: StoredFile.from_path(path) for path in temporary.iterdir()}
        description = _description(assignment, config)
        description["files"] = {name: asdict(files[name]) for name in sorted(files)}
        text = json.dumps(description, indent=2)
        (temporary / "partition.json").write_text(text + "\n")
        folder.parent.mkdir(exist_ok=True)
        if folder.exists():  # of a build that was killed before its manifest
            shutil.rmtree(folder)
        temporary.replace(folder)


def add_partition(
    dataset_path: Path, config: PartitionConfig
) -> ClassAssignment | None:
    """Adds a partition to a built dataset; no shard is read or written.

    Returns:
        The new classes; None when the dataset has this very partition already.

    Raises:
        DataPrepError: The dataset has no train split, or another partition of that
            name.
    """
    dataset = PreparedDataset(dataset_path)
    if "train" not in dataset.split_names:
        raise DataPrepError(f"{dataset_path} has no train split to partition.")
    if config.name in dataset.partition_names:
        _refuse_difference(dataset, config)
        return None
    reader = column_reader(dataset.split("train"), config)
    assignment = assign_classes(reader, config)
    write_partition(dataset_path, assignment, config)
    return assignment


def column_reader(index: SplitIndex, config: PartitionConfig) -> ColumnReader:
    """Returns a reader of the columns that a partition needs."""
    columns = [index.column(name) for name in needed_columns(config)]

    def read_columns() -> Iterable[Columns]:
        for start in range(0, len(index), _ROWS_AT_ONCE):
            piece = slice(start, start + _ROWS_AT_ONCE)
            yield tuple(np.asarray(column[piece]) for column in columns)

    return read_columns


def summary(assignment: ClassAssignment, config: PartitionConfig) -> str:
    """Returns one line that says what a partition holds."""
    groups = int(assignment.classes["group_id"][-1]) + 1
    text = (
        f"partition {config.name}: {len(assignment.classes):,} classes in {groups:,} "
        f"groups hold {assignment.num_images:,} images; dropped "
        f"{assignment.num_dropped_classes:,} classes with fewer than "
        f"{config.min_images_per_class} images ({assignment.num_dropped_images:,} "
        "images)"
    )
    if assignment.num_without_heading:
        text += f"; {assignment.num_without_heading:,} images have no heading"
    if assignment.num_without_place:
        text += f"; {assignment.num_without_place:,} images have no place_id"
    if assignment.num_not_kept and assignment.focal_points is not None:
        text += (
            f"; left out {assignment.num_not_kept:,} images that are not those of "
            "their position that look at a focal point"
        )
    elif assignment.num_not_kept:
        text += (
            f"; left out {assignment.num_not_kept:,} images of classes that have "
            "images_kept_per_class without them"
        )
    return text


def _refuse_difference(dataset: PreparedDataset, config: PartitionConfig) -> None:
    """Raises when the partition of that name was made with other parameters."""
    known = PartitionConfig.from_parameters(dataset.partition(config.name).parameters)
    there, here = known.parameters(), config.parameters()
    names = ["method"] if known.method != config.method else list(here)
    differences = ", ".join(
        f"{name}={there[name]!r} there, {here[name]!r} here"
        for name in names
        if there[name] != here[name]
    )
    if differences:
        raise DataPrepError(
            f"{dataset.path} has another partition {config.name!r} ({differences}). "
            "Choose another `build.partition.name`."
        )


def _description(
    assignment: ClassAssignment, config: PartitionConfig
) -> dict[str, Any]:
    return {
        "parameters": config.parameters(),
        "num_classes": len(assignment.classes),
        "num_groups": int(assignment.classes["group_id"][-1]) + 1,
        "num_images": assignment.num_images,
        "num_dropped_classes": assignment.num_dropped_classes,
        "num_dropped_images": assignment.num_dropped_images,
        "num_without_heading": assignment.num_without_heading,
        "num_not_kept": assignment.num_not_kept,
        "num_without_place": assignment.num_without_place,
    }
