"""Errors of data preparation, and how failures of the disk are reported."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class DataPrepError(ValueError):
    """A build that cannot go on; the message says why and what to do."""


_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


@contextmanager
def wrap_disk_errors(
    path: Path, remedy: str = "choose another `dataset.path`"
) -> Iterator[None]:
    """Turns a full disk or a forbidden folder into a clear error.

    Args:
        path: File or folder that is being written.
        remedy: What to do where the folder cannot be made writable.

    Raises:
        DataPrepError: The disk is full, or the folder may not be written.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise DataPrepError(
                f"No space left to write {path}: {error.strerror}. "
                f"{_free_space(path)}Finished shards are kept; free some space and "
                "run the same command again to continue."
            ) from error
        if error.errno in _FORBIDDEN:
            raise DataPrepError(
                f"Cannot write {path}: {error.strerror}. {_free_space(path)}Make the "
                f"folder writable, or {remedy}."
            ) from error
        raise


def _free_space(path: Path) -> str:
    """Says how much space the nearest existing folder has."""
    for folder in (path, *path.parents):
        if folder.is_dir():
            free = shutil.disk_usage(folder).free
            return f"{folder} has {free / 1e6:,.1f} MB free. "
    return ""
