"""Descriptors in a file, each row compared with its checksum when it is read."""

from __future__ import annotations

import itertools
import os
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np

from vpr_tf.place_index.manifest import check_file
from vpr_tf.search import IndexMismatchError
from vpr_tf.stored_files import StoredFile


class DamagedRowError(IndexMismatchError):
    """A stored descriptor that is not the one that was written."""


class StoredDescriptors:
    """The rows of a `.npy` file, read without mapping it into memory.

    So the memory of the process stays small, a file that is cut while it is open is an
    error and not a crash, and a file that was deleted can still be read.

    Args:
        path: The file.
        shape: `(num_rows, descriptor_dim)`; the last bytes of the file are read so.
        dtype: Little-endian float32 or float16.
        row_checksums: CRC-32C of each row; None to trust the file.
        keys: Names of the photos, for messages.
        file: What the file as a whole must be; None to trust it.
        first_byte: Where the rows begin; None for those that end with the file.

    Attributes:
        shape: As given.
        dtype: As given.
    """

    def __init__(
        self,
        path: Path,
        shape: tuple[int, int],
        dtype: np.dtype,
        row_checksums: np.ndarray | None,
        keys: np.ndarray | None = None,
        file: StoredFile | None = None,
        first_byte: int | None = None,
    ) -> None:
        self._path = path
        self.shape = shape
        self.dtype = dtype
        self._keys = keys
        self._row_checksums = row_checksums
        self._whole = file
        self._unchecked = np.full(shape[0], row_checksums is not None)
        self._row_bytes = shape[1] * dtype.itemsize
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        weakref.finalize(self, os.close, self._file)
        size = os.fstat(self._file).st_size
        values = shape[0] * self._row_bytes
        self._first_byte = size - values if first_byte is None else first_byte
        if self._first_byte < 0 or self._first_byte + values > size:
            raise IndexMismatchError(
                f"{path} must hold {shape[0]} rows of {shape[1]} {dtype} values. "
                f"Received: {size} bytes."
            )

    @classmethod
    def from_memmap(cls, mapped: np.memmap) -> StoredDescriptors:
        """Reads the file of a memory-mapped matrix without mapping it."""
        if mapped.filename is None or mapped.ndim != 2:
            raise ValueError("`mapped` must be a matrix that is a file.")
        rows, dim = mapped.shape
        path, first = Path(mapped.filename), mapped.offset
        return cls(path, (rows, dim), mapped.dtype, None, first_byte=first)

    @property
    def path(self) -> Path:
        """The file, for a library that reads it by itself: it is compared first.

        Raises:
            IndexMismatchError: The file is not what was written.
        """
        if self._whole:
            check_file(self._path, self._whole)
            self._whole = None
        return self._path

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> np.ndarray:
        """Returns rows of a slice, a row number or an array of row numbers.

        Raises:
            DamagedRowError: A row is not what was written.
            IndexError: There is no such row.
        """
        if isinstance(rows, slice):
            start, stop, step = rows.indices(len(self))
            rows = np.arange(start, stop, step)
        rows = np.asarray(rows)
        flat = np.where(rows < 0, rows + len(self), rows).ravel()
        if len(flat) and not (flat.min() >= 0 and flat.max() < len(self)):
            raise IndexError(
                f"Rows must lie between 0 and {len(self) - 1}. Received: {rows}"
            )
        values = self._read(flat)
        self._check(flat, values)
        return values.reshape(*rows.shape, self.shape[1])

    def damaged_rows(self, rows_per_block: int = 1 << 14) -> list[int]:
        """Compares every row; returns those that are not what was written."""
        damaged: list[int] = []
        for start in range(0, len(self), rows_per_block):
            rows = np.arange(start, min(start + rows_per_block, len(self)))
            damaged += self._damaged(rows, self._read(rows)).tolist()
        return damaged

    def _read(self, rows: np.ndarray) -> np.ndarray:
        values = np.empty((len(rows), self.shape[1]), self.dtype)
        buffer = values.reshape(-1).view(np.uint8).data
        size = self._row_bytes
        for first, stop in _runs(rows):
            offset = self._first_byte + int(rows[first]) * size
            self._fill(buffer[first * size : stop * size], offset)
        return values

    def _fill(self, buffer: memoryview, offset: int) -> None:
        while buffer:
            num_bytes = os.preadv(self._file, [buffer], offset)
            if not num_bytes:
                raise DamagedRowError(f"{self._path} ends early; it was cut.")
            buffer, offset = buffer[num_bytes:], offset + num_bytes

    def _check(self, rows: np.ndarray, values: np.ndarray) -> None:
        new = self._unchecked[rows]
        if not new.any():
            return
        all_new = new.all()
        new_rows = rows if all_new else rows[new]
        damaged = self._damaged(new_rows, values if all_new else values[new])
        if len(damaged):
            row = int(damaged[0])
            photo = "" if self._keys is None else f", photo {self._keys[row].decode()}"
            raise DamagedRowError(
                f"{self._path} is damaged: row {row}{photo} is not what was written. "
                "Restore the file from a copy of the folder; or remove the photo, "
                "compact the index and add it again."
            )
        self._unchecked[new_rows] = False

    def _damaged(self, rows: np.ndarray, values: np.ndarray) -> np.ndarray:
        if self._row_checksums is None:
            return rows[:0]
        return rows[checksums_of_rows(values) != self._row_checksums[rows]]


def checksums_of_rows(values: np.ndarray) -> np.ndarray:
    """Returns the CRC-32C of the bytes of each row, uint32."""
    return np.fromiter(map(google_crc32c.value, values), "<u4", len(values))


def _runs(rows: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yields the bounds of the stretches of consecutive rows."""
    if len(rows):
        starts = np.flatnonzero(np.diff(rows) != 1) + 1
        bounds = [0, *starts.tolist(), len(rows)]
        yield from itertools.pairwise(bounds)
