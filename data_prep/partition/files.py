"""Writes a partition beside the shards and adds one to a finished dataset."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from data_prep.errors import DataPrepError, wrap_disk_errors
from data_prep.partition.assignment import (
    ClassAssignment,
    ColumnReader,
    Columns,
    assign_classes,
    needed_columns,
)
from vpr_tf.config import PartitionConfig
from vpr_tf.data import PreparedDataset, SplitIndex

_ROWS_AT_ONCE = 1 << 19


def write_partition(
    dataset_path: Path, assignment: ClassAssignment, config: PartitionConfig
) -> None:
    """Writes `partitions/<name>/`, whole or not at all."""
    folder = dataset_path / "partitions" / config.name
    temporary = dataset_path / f".partition-{config.name}.tmp"
    with wrap_disk_errors(folder):
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        np.save(temporary / "classes.npy", assignment.classes)
        np.save(temporary / "class_offsets.npy", assignment.class_offsets)
        np.save(temporary / "record_ids.npy", assignment.record_ids)
        if assignment.regions is not None:
            np.save(temporary / "regions.npy", assignment.regions)
        text = json.dumps(_description(assignment, config), indent=2)
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
    }
