"""Descriptors that are a `.npy` file: read without mapping, handed to libraries."""

from __future__ import annotations

import contextlib
import itertools
import os
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from vpr_tf.atomic_files import scratch_folder
from vpr_tf.search.descriptors import Descriptors, float32_blocks, row_numbers
from vpr_tf.search.errors import IndexMismatchError
from vpr_tf.stored_files import read_npy


class DamagedRowError(IndexMismatchError):
    """A stored descriptor that is not the one that was written."""


class DescriptorFile:
    """The rows of a `.npy` file, read without mapping it into memory.

    So the memory of the process stays small, a file that is cut while it is open is an
    error and not a crash, and a file that was deleted can still be read.

    Args:
        path: The file.
        shape: `(num_rows, descriptor_dim)`.
        dtype: Little-endian float32 or float16.
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
        *,
        first_byte: int | None = None,
    ) -> None:
        self._path = path
        self.shape = shape
        self.dtype = dtype
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

    @staticmethod
    def from_memmap(mapped: np.memmap) -> DescriptorFile:
        """Reads the file of a memory-mapped matrix without mapping it."""
        if mapped.filename is None or mapped.ndim != 2:
            raise ValueError("`mapped` must be a matrix that is a file.")
        rows, dim = mapped.shape
        path, first = Path(mapped.filename), mapped.offset
        return DescriptorFile(path, (rows, dim), mapped.dtype, first_byte=first)

    @property
    def path(self) -> Path:
        """The file, for a library that reads it by itself."""
        return self._path

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> np.ndarray:
        """Returns rows of a slice, a row number or an array of row numbers.

        Raises:
            DamagedRowError: A row is not what was written.
            IndexError: There is no such row.
        """
        numbers = row_numbers(rows, len(self))
        return self._checked(numbers.ravel()).reshape(*numbers.shape, self.shape[1])

    def _checked(self, rows: np.ndarray) -> np.ndarray:
        """Reads rows; for heirs to compare them with what was written."""
        return self._read(rows)

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


def unmapped(descriptors: Descriptors) -> Descriptors:
    """Returns the same rows, read when needed if they were memory-mapped.

    What is read from a mapping stays in the memory of the process.
    """
    if isinstance(descriptors, np.memmap) and npy_file_of(descriptors) is not None:
        return DescriptorFile.from_memmap(descriptors)
    return descriptors


@contextlib.contextmanager
def float32_file(descriptors: Descriptors) -> Iterator[Path]:
    """Gives a file of exactly these rows: their own, or else a temporary copy.

    Args:
        descriptors: Any; copied block by block.
    """
    own = npy_file_of(descriptors)
    if own is not None and descriptors.dtype == np.float32:
        yield own
        return
    with scratch_folder("descriptors") as folder:
        path = folder / "descriptors.npy"
        with path.open("wb") as file:
            np.lib.format.write_array_header_1_0(
                file,
                {"shape": descriptors.shape, "fortran_order": False, "descr": "<f4"},
            )
            for _, rows in float32_blocks(descriptors):
                rows.tofile(file)
        yield path


def npy_file_of(descriptors: Descriptors) -> Path | None:
    """Returns the `.npy` file that holds exactly these rows, if there is one."""
    if isinstance(descriptors, np.ndarray):
        if not (isinstance(descriptors, np.memmap) and descriptors.flags.c_contiguous):
            return None
        path = descriptors.filename
    else:
        path = getattr(descriptors, "path", None)
    if path is None or not Path(path).is_file():
        return None
    try:
        held = read_npy(Path(path))
    except (OSError, ValueError):
        return None
    same = held.shape == descriptors.shape and held.dtype == descriptors.dtype
    return Path(path).absolute() if same and held.flags.c_contiguous else None


def _runs(rows: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yields the bounds of the stretches of consecutive rows."""
    if len(rows):
        starts = np.flatnonzero(np.diff(rows) != 1) + 1
        bounds = [0, *starts.tolist(), len(rows)]
        yield from itertools.pairwise(bounds)
