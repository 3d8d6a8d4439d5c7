"""A memory-mapped file of descriptors that can be filled in several goes."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np

_COMMIT_EVERY_S = 10.0


class DescriptorFile:
    """A folder with descriptors, flags of the rows that are done, and their source.

    Rows are flagged only after they were written to disk, so a folder left by a
    killed process is always right. A folder of another source (encoder, dataset,
    preprocessing, precision) is emptied, never mixed in.

    Args:
        folder: Folder of its own for these descriptors.
        source: JSON-ready description of all that determines them.
        num_rows: Images.
        descriptor_dim: Length of a descriptor.

    Attributes:
        descriptors: Float32 `(num_rows, descriptor_dim)`, memory-mapped.
    """

    def __init__(
        self,
        folder: str | Path,
        source: dict[str, Any],
        num_rows: int,
        descriptor_dim: int,
    ) -> None:
        self.folder = Path(folder)
        self._shape = (num_rows, descriptor_dim)
        if not self._is_of(source):
            self._create(source)
        self.descriptors = _open(self._descriptors_path)
        self._done = _open(self._done_path)
        self._pending: list[np.ndarray] = []
        self._last_commit_s = time.monotonic()

    @property
    def _descriptors_path(self) -> Path:
        return self.folder / "descriptors.npy"

    @property
    def _done_path(self) -> Path:
        return self.folder / "done.npy"

    @property
    def _source_path(self) -> Path:
        return self.folder / "source.json"

    def _is_of(self, source: dict[str, Any]) -> bool:
        try:
            stored = json.loads(self._source_path.read_text())
            # Read-only: opened for writing, a file that was cut is filled with zeros.
            descriptors = np.load(self._descriptors_path, "r", allow_pickle=False)
            done = np.load(self._done_path, "r", allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return False
        shapes_fit = descriptors.shape == self._shape and done.shape == self._shape[:1]
        return stored == source and shapes_fit

    def _create(self, source: dict[str, Any]) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        for path, dtype, shape in (
            (self._descriptors_path, np.float32, self._shape),
            (self._done_path, np.bool_, self._shape[:1]),
        ):
            np.lib.format.open_memmap(path, "w+", dtype, shape).flush()
        unfinished = self._source_path.with_suffix(".unfinished")
        unfinished.write_text(json.dumps(source, indent=2) + "\n")
        unfinished.rename(self._source_path)

    @property
    def missing_rows(self) -> np.ndarray:
        """Rows that no one has written yet, ascending."""
        return np.flatnonzero(~self._done)

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


def _open(path: Path) -> np.memmap:
    return np.lib.format.open_memmap(path, "r+")
