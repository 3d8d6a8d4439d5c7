"""A memory-mapped file of descriptors that can be filled in several goes."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from vpr_tf.atomic_files import write_json
from vpr_tf.stored_files import read_npy
from vpr_tf.stored_paths import inside
from vpr_tf.stored_values import read_json

_COMMIT_EVERY_S = 10.0


class DescriptorFile:
    """A folder with descriptors, flags of the rows that are done, and their source.

    Rows are flagged only after they were written to disk, so a folder left by a
    killed process is always right. A folder of another source (encoder, dataset,
    preprocessing, precision) is written anew, never mixed in.

    Args:
        folder: Folder of its own for these descriptors.
        source: JSON-ready description of all that determines them.
        num_rows: Images.
        descriptor_dim: Length of a descriptor.
        dtype: `float32`, or `float16` for half the size.

    Attributes:
        descriptors: `(num_rows, descriptor_dim)`, memory-mapped.

    Raises:
        OSError: The disk has no room for all rows; found before any is computed.
        StoredPathError: One of the files is a link.
    """

    def __init__(
        self,
        folder: str | Path,
        source: dict[str, Any],
        num_rows: int,
        descriptor_dim: int,
        dtype: str = "float32",
    ) -> None:
        self.folder = Path(folder)
        self._shape = (num_rows, descriptor_dim)
        self._dtype = np.dtype(dtype)
        if not self._is_of(source):
            self._create(source)
        self.descriptors = _open(self._descriptors_path)
        self._done = _open(self._done_path)
        self._pending: list[np.ndarray] = []
        self._last_commit_s = time.monotonic()

    @property
    def _descriptors_path(self) -> Path:
        return inside(self.folder, "descriptors.npy")

    @property
    def _done_path(self) -> Path:
        return inside(self.folder, "done.npy")

    @property
    def _source_path(self) -> Path:
        return inside(self.folder, "source.json")

    def _is_of(self, source: dict[str, Any]) -> bool:
        try:
            stored = read_json(self._source_path)
            # Read-only: opened for writing, a file that was cut is filled with zeros.
            descriptors = read_npy(self._descriptors_path)
            done = read_npy(self._done_path)
        except (OSError, ValueError):
            return False
        shapes_fit = descriptors.shape == self._shape and done.shape == self._shape[:1]
        return stored == source and shapes_fit and descriptors.dtype == self._dtype

    def _create(self, source: dict[str, Any]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in (self._source_path, self._descriptors_path, self._done_path):
            path.unlink(missing_ok=True)
        for path, dtype, shape in (
            (self._descriptors_path, self._dtype, self._shape),
            (self._done_path, np.dtype(np.bool_), self._shape[:1]),
        ):
            np.lib.format.open_memmap(path, "w+", dtype, shape).flush()
            _reserve(path)
        write_json(self._source_path, source)

    @property
    def done(self) -> np.ndarray:
        """Whether each row was written."""
        return np.array(self._done)

    @property
    def missing_rows(self) -> np.ndarray:
        """Rows that no one has written yet, ascending."""
        return np.flatnonzero(~self._done)

    @property
    def rows(self) -> np.ndarray:
        """All row numbers, ascending."""
        return np.arange(self._shape[0])

    def missing_of(self, rows: np.ndarray) -> np.ndarray:
        """Returns those of some rows that no one has written yet."""
        return rows[~self._done[rows]]

    def write(self, rows: np.ndarray, descriptors: np.ndarray) -> None:
        """Stores descriptors `(len(rows), descriptor_dim)` of some rows."""
        self.descriptors[rows] = descriptors
        self._pending.append(rows)
        if time.monotonic() - self._last_commit_s > _COMMIT_EVERY_S:
            self.commit()

    def commit(self) -> None:
        """Makes what was written survive a crash of the machine."""
        if self._pending:
            self.descriptors.flush()
            self._done[np.concatenate(self._pending)] = True
            self._done.flush()
            self._pending.clear()
        self._last_commit_s = time.monotonic()


def _reserve(path: Path) -> None:
    """Takes the space of a sparse file: on a full disk a mapped write is a crash."""
    with path.open("rb+") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(path)) from error


def _open(path: Path) -> np.memmap:
    return np.lib.format.open_memmap(path, "r+")
