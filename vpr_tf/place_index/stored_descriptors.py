"""Descriptors in a file, each row compared with its checksum when it is read."""

from __future__ import annotations

from pathlib import Path

import google_crc32c
import numpy as np

from vpr_tf.place_index.manifest import check_file
from vpr_tf.search import DamagedRowError, DescriptorFile
from vpr_tf.stored_files import StoredFile


class StoredDescriptors(DescriptorFile):
    """The rows of a file that is read without mapping it into memory.

    Args:
        path: The file.
        shape: `(num_rows, descriptor_dim)`; the last bytes of the file are read so.
        dtype: Little-endian float32 or float16.
        row_checksums: CRC-32C of each row; None to trust the file.
        keys: Names of the photos, for messages.
        file: What the file as a whole must be; None to trust it.
    """

    def __init__(
        self,
        path: Path,
        shape: tuple[int, int],
        dtype: np.dtype,
        row_checksums: np.ndarray | None,
        keys: np.ndarray | None = None,
        file: StoredFile | None = None,
    ) -> None:
        super().__init__(path, shape, dtype)
        self._keys = keys
        self._row_checksums = row_checksums
        self._whole = file
        self._unchecked = np.full(shape[0], row_checksums is not None)

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

    def damaged_rows(self, rows_per_block: int = 1 << 14) -> list[int]:
        """Compares every row; returns those that are not what was written."""
        damaged: list[int] = []
        for start in range(0, len(self), rows_per_block):
            rows = np.arange(start, min(start + rows_per_block, len(self)))
            damaged += self._damaged(rows, self._read(rows)).tolist()
        return damaged

    def _checked(self, rows: np.ndarray) -> np.ndarray:
        values = self._read(rows)
        new = self._unchecked[rows]
        if not new.any():
            return values
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
        return values

    def _damaged(self, rows: np.ndarray, values: np.ndarray) -> np.ndarray:
        if self._row_checksums is None:
            return rows[:0]
        return rows[checksums_of_rows(values) != self._row_checksums[rows]]


def checksums_of_rows(values: np.ndarray) -> np.ndarray:
    """Returns the CRC-32C of the bytes of each row, uint32."""
    return np.fromiter(map(google_crc32c.value, values), "<u4", len(values))
