"""The metadata table on disk, appended while scanning and read back in pieces.

A split's work folder holds `rows.bin` (rows of `ROW_DTYPE`), `keys.bin` (the keys, one
after the other), `rejected.csv` and `progress.json`. The progress is written last, so
that a killed scan is cut back to it and goes on from there.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from vpr_tf.photos.scan import ScannedChunk
from vpr_tf.photos.schema import ROW_DTYPE

_ROWS_AT_ONCE = 1 << 16


@dataclass
class Progress:
    """How far the scan of a split has come; sizes in bytes."""

    listing_offset: int = 0
    num_entries: int = 0
    num_rows: int = 0
    num_rejected: int = 0
    keys_size: int = 0
    rejected_size: int = 0
    longest_key: int = 0
    longest_timestamp: int = 0
    num_other: int = 0


class MetadataTable:
    """The rows of one scanned split.

    Args:
        folder: Work folder of the split; it exists.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows_path = folder / "rows.bin"
        self.keys_path = folder / "keys.bin"
        self.rejected_path = folder / "rejected.csv"
        self.class_ids_path = folder / "class_ids.bin"
        self._progress_path = folder / "progress.json"

    def progress(self) -> Progress:
        """Returns the progress of the last checkpoint."""
        try:
            return Progress(**json.loads(self._progress_path.read_text()))
        except FileNotFoundError:
            return Progress()

    def append(self, progress: Progress, chunk: ScannedChunk, file_prefix: str) -> None:
        """Appends a scanned chunk after the rows of `progress`, and advances it.

        Anything after `progress` in the files is overwritten. The caller writes the
        checkpoint.
        """
        rows = chunk.rows.copy()
        rows["key_end"] += progress.keys_size
        _write_at(
            self.rows_path, progress.num_rows * ROW_DTYPE.itemsize, rows.tobytes()
        )
        _write_at(self.keys_path, progress.keys_size, chunk.keys)
        rejected = csv_lines(
            (file_prefix + path, reason) for path, reason in chunk.rejected
        )
        _write_at(self.rejected_path, progress.rejected_size, rejected)
        progress.num_rows += len(rows)
        progress.num_rejected += len(chunk.rejected)
        progress.num_other += chunk.num_other
        progress.keys_size += len(chunk.keys)
        progress.rejected_size += len(rejected)
        progress.longest_key = max(progress.longest_key, chunk.longest_key)
        timestamps = np.char.str_len(rows["timestamp"])
        longest = int(timestamps.max()) if len(rows) else 0
        progress.longest_timestamp = max(progress.longest_timestamp, longest)

    def write_checkpoint(self, progress: Progress) -> None:
        """Makes `progress` the point from which an interrupted scan goes on."""
        write_atomically(self._progress_path, json.dumps(asdict(progress)).encode())

    def read(self, start: int, end: int) -> tuple[np.ndarray, list[str]]:
        """Returns rows `start` to `end` and their keys."""
        first = max(start - 1, 0)
        with self.rows_path.open("rb") as file:
            file.seek(first * ROW_DTYPE.itemsize)
            rows = np.fromfile(file, ROW_DTYPE, end - first)
        previous_end = int(rows["key_end"][0]) if start else 0
        rows = rows[start - first :]
        with self.keys_path.open("rb") as file:
            file.seek(previous_end)
            keys = file.read(int(rows["key_end"][-1]) - previous_end)
        ends = rows["key_end"] - previous_end
        starts = np.concatenate([[0], ends[:-1]])
        return rows, [keys[a:b].decode() for a, b in zip(starts, ends, strict=True)]

    def iterate(self, num_rows: int) -> Iterator[tuple[np.ndarray, list[str]]]:
        """Yields all rows with their keys, a piece at a time."""
        for start in range(0, num_rows, _ROWS_AT_ONCE):
            yield self.read(start, min(start + _ROWS_AT_ONCE, num_rows))

    def iterate_rows(self, num_rows: int) -> Iterator[np.ndarray]:
        """Yields all rows, a piece at a time."""
        with self.rows_path.open("rb") as file:
            for start in range(0, num_rows, _ROWS_AT_ONCE):
                yield np.fromfile(file, ROW_DTYPE, min(_ROWS_AT_ONCE, num_rows - start))

    def read_class_ids(self, start: int, end: int) -> list[tuple[int, int]] | None:
        """Returns class and group ids of some rows; None in a split without classes."""
        if not self.class_ids_path.exists():
            return None
        with self.class_ids_path.open("rb") as file:
            file.seek(start * 8)
            ids = np.fromfile(file, "<i4", 2 * (end - start))
        return [tuple(pair) for pair in ids.reshape(-1, 2).tolist()]


def write_atomically(path: Path, data: bytes) -> None:
    """Writes a file so that it has either its old or its new content."""
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_bytes(data)
    temporary.replace(path)


def _write_at(path: Path, offset: int, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o666)
    try:
        os.ftruncate(descriptor, offset)
        os.lseek(descriptor, offset, os.SEEK_SET)
        view = memoryview(data)
        while len(view):
            view = view[os.write(descriptor, view) :]
    finally:
        os.close(descriptor)


def csv_lines(rows: Iterable[Sequence[str]]) -> bytes:
    """Returns rows as lines of a CSV file."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode("utf-8", "backslashreplace")
