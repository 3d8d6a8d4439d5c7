"""Writes the record index of a split: one .npy column a field, in record order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from data_prep.errors import wrap_disk_errors
from data_prep.table import MetadataTable, Progress
from data_prep.writer import ShardTask
from vpr_tf.data.prepared_dataset import INDEX_COLUMNS
from vpr_tf.data.records import FRAME_BYTES


def write_record_index(
    folder: Path, table: MetadataTable, progress: Progress, tasks: list[ShardTask]
) -> None:
    """Writes all columns of `INDEX_COLUMNS`, a piece at a time.

    Args:
        folder: `<dataset>/<split>.index`.
        table: The scanned split.
        progress: Its size and the longest texts.
        tasks: The shards in order.
    """
    widths = {"key": progress.longest_key, "timestamp": progress.longest_timestamp}
    folder.mkdir(exist_ok=True)
    with wrap_disk_errors(folder):
        for name, dtype in INDEX_COLUMNS.items():
            if name in widths:
                dtype = f"|S{max(widths[name], 1)}"
            pieces = _column(name, table, progress.num_rows, tasks)
            _write_column(
                folder / f"{name}.npy", np.dtype(dtype), progress.num_rows, pieces
            )


def _column(
    name: str, table: MetadataTable, num_rows: int, tasks: list[ShardTask]
) -> Iterator[np.ndarray]:
    if name in ("shard", "byte_offset", "length"):
        return (_shard_column(name, i, task) for i, task in enumerate(tasks))
    if name == "key":
        return (
            np.array([key.encode() for key in keys])
            for _, keys in table.iterate(num_rows)
        )
    return (rows[name] for rows in table.iterate_rows(num_rows))


def _shard_column(name: str, number: int, task: ShardTask) -> np.ndarray:
    lengths = np.fromfile(task.lengths_path, np.int64)
    if name == "shard":
        return np.full(len(lengths), number)
    if name == "length":
        return lengths
    return np.cumsum(lengths + FRAME_BYTES) - (lengths + FRAME_BYTES)


def _write_column(
    path: Path, dtype: np.dtype, length: int, pieces: Iterator[np.ndarray]
) -> None:
    header = {
        "descr": np.lib.format.dtype_to_descr(dtype),
        "fortran_order": False,
        "shape": (length,),
    }
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for piece in pieces:
            piece.astype(dtype).tofile(file)
