"""Errors of a disk that is full, and of files: they name the file."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FULL_WORDS = tuple(os.strerror(number) for number in sorted(_FULL))


def is_full(error: BaseException) -> bool:
    """Whether an error says that a disk is full: by its number, or in its words.

    HDF5 and TensorFlow have errors of their own, with the system's words in them.
    """
    number = getattr(error, "errno", None)
    return number in _FULL or any(words in str(error) for words in _FULL_WORDS)


@contextlib.contextmanager
def with_path(path: Path) -> Iterator[None]:
    """Gives errors of the operating system, and of a full disk, the path they lack."""
    try:
        yield
    except Exception as error:
        number = getattr(error, "errno", None) or (is_full(error) and errno.ENOSPC)
        if path_of(error) is not None or not number:
            raise
        raise OSError(number, os.strerror(number), str(path)) from error


def path_of(error: BaseException | None) -> str | None:
    """Returns the path that an error, or what it came from, names."""
    while error is not None:
        path = getattr(error, "filename", None)
        if path is not None:
            return str(path)
        error = error.__cause__ or error.__context__
    return None
