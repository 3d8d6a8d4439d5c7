"""The folder that the worker processes of a service share figures and rates in."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

_PREFIX = "vpr-metrics-"
# A younger one may be of a service that has not locked it yet.
_ABANDONED_S = 60.0


@contextlib.contextmanager
def metrics_folder() -> Iterator[Path]:
    """Makes the folder of a service, and removes it at the end.

    Those of services that were killed are removed first: nobody holds them.

    Example:
        >>> from vpr_tf.serving.metrics_folder import metrics_folder
        >>> with metrics_folder() as folder:
        ...     print(folder.is_dir())
        True
    """
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            _remove_abandoned(folder)
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as made:
        held = hold(Path(made))
        try:
            yield Path(made)
        finally:
            os.close(held)


def hold(folder: Path) -> int:
    """Keeps a folder from being removed until its descriptor or the process ends.

    Returns:
        The descriptor.
    """
    descriptor = _open(folder)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    return descriptor


def _open(folder: Path) -> int:
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)


def _remove_abandoned(folder: Path) -> None:
    """Removes a folder if it is this user's, old, and nobody holds it.

    Raises:
        OSError: It is none, or somebody holds it.
    """
    descriptor = _open(folder)
    try:
        status = os.fstat(descriptor)
        is_old = time.time() - status.st_mtime > _ABANDONED_S
        if is_old and status.st_uid == os.geteuid():
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder)
    finally:
        os.close(descriptor)
