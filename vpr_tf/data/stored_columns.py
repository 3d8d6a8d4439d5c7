"""Arrays of a dataset, compared with what was written when they are opened."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np

from vpr_tf.stored_files import StoredFile, read_npy


def read_checked(
    path: Path, stored: StoredFile | None, *, mapped: bool = True
) -> np.ndarray:
    """Reads an array; its checksum is compared once, until the file changes.

    Args:
        path: The file.
        stored: What it must be; None of datasets that do not say so.
        mapped: Whether it is memory-mapped.

    Raises:
        OSError: It cannot be read.
        ValueError: It is damaged.
    """
    problem = None if stored is None else _problem(str(path), stored, _stamp(path))
    if problem:
        raise ValueError(f"it {problem}")
    return read_npy(path, mapped=mapped)


def _stamp(path: Path) -> tuple[int, int, int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


@functools.lru_cache(maxsize=1 << 12)
def _problem(
    path: str, stored: StoredFile, stamp: tuple[int, int, int, int]
) -> str | None:
    """`stamp` is of the file, so that another one of its name is compared as well."""
    return stored.problem(Path(path))
