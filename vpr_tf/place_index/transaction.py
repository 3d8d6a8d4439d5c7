"""Changes of an index folder: one at a time, each in whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from vpr_tf.atomic_files import sweep_leftovers
from vpr_tf.place_index.layout import (
    MANIFEST_FILE,
    SEGMENTS_FOLDER,
    SIGNATURE_FILE,
    generation_of,
    index_path,
    removed_file_name,
    segment_name,
)
from vpr_tf.place_index.manifest import IndexManifest, read_manifest, write_manifest
from vpr_tf.search import RetrievalError
from vpr_tf.stored_paths import StoredPathError
from vpr_tf.work_folder import LOCK_FILE, ForeignFolderError, open_lock

_LOCK_WAIT_S = 60.0
_LOCK_POLL_S = 0.02
_REMEDIES = {
    **dict.fromkeys(
        (errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "Make space on that disk"
    ),
    **dict.fromkeys(
        (errno.EACCES, errno.EPERM, errno.EROFS),
        "Give permission to write there, or copy the index elsewhere",
    ),
}


class Transaction:
    """A change that is being made; new files are written before `commit`.

    Attributes:
        folder: The index.
        manifest: The state when the change began.
    """

    def __init__(self, folder: Path, manifest: IndexManifest) -> None:
        self.folder = folder
        self.manifest = manifest

    @property
    def generation(self) -> int:
        """Number of the new state; names its new files, so no name is used twice."""
        return self.manifest.generation + 1

    @property
    def new_segment(self) -> str:
        """Path of a segment that this change may write."""
        return segment_name(self.generation)

    @property
    def new_removed_file(self) -> str:
        """Path of the list of removed rows that this change may write."""
        return removed_file_name(self.generation)

    def commit(self, manifest: IndexManifest) -> None:
        """Makes the change: the one moment after which all see it."""
        write_manifest(self.folder, manifest)


@contextlib.contextmanager
def transaction(folder: Path) -> Iterator[Transaction]:
    """Locks an index for a change; clears away what interrupted changes left.

    Raises:
        IndexMismatchError: There is no index, or its manifest is damaged.
        RetrievalError: Another process changes it, or the folder cannot be written:
            no space, no permission. The index is as it was.
    """
    manifest = read_manifest(folder)
    with clear_errors(folder), writer_lock(folder, _LOCK_WAIT_S):
        manifest = read_manifest(folder)
        _sweep(folder, manifest)
        try:
            yield Transaction(folder, manifest)
        finally:
            # What was committed is read again: an error may have followed it.
            _sweep(folder, read_manifest(folder))


@contextlib.contextmanager
def clear_errors(folder: Path) -> Iterator[None]:
    """Makes errors of the operating system errors that say what to do."""
    try:
        yield
    except (ForeignFolderError, StoredPathError) as error:
        raise RetrievalError(str(error)) from error
    except OSError as error:
        path = error.filename2 or error.filename or folder
        # NumPy's error of a full disk has no number.
        remedy = _REMEDIES.get(error.errno or errno.ENOSPC, "Check that disk")
        raise RetrievalError(
            f"The index {folder} is as it was: {path}: {error.strerror or error}. "
            f"{remedy}, then run the command again."
        ) from error


@contextlib.contextmanager
def writer_lock(folder: Path, wait_s: float) -> Iterator[None]:
    """Holds the lock of a folder; it ends with the process, however that ends.

    Args:
        folder: The folder.
        wait_s: How long to wait for another process.

    Raises:
        OSError: The lock file cannot be made.
        StoredPathError: It is a link.
        RetrievalError: Another process holds the lock for long.
    """
    number = open_lock(folder)
    try:
        _wait_for_lock(number, folder, wait_s)
        yield
    finally:
        os.close(number)


def _wait_for_lock(number: int, folder: Path, wait_s: float) -> None:
    deadline = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Else the folder was deleted meanwhile, and perhaps made again.
            if os.fstat(number).st_ino == (folder / LOCK_FILE).stat().st_ino:
                return
            raise BlockingIOError
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                raise RetrievalError(
                    f"Another process is changing the index {folder}. Run the command "
                    "again when it is done."
                ) from error
        time.sleep(_LOCK_POLL_S)


def _sweep(folder: Path, manifest: IndexManifest) -> None:
    """Deletes files of interrupted and of former changes, by their names.

    Other files are left, and no link is followed.

    Raises:
        IndexMismatchError: The folder of the segments is a link.
    """
    named = {segment.folder for segment in manifest.segments} | {manifest.removed_file}
    segments = index_path(folder, SEGMENTS_FOLDER)
    for path in [*segments.glob("*"), *folder.iterdir()]:
        name = path.relative_to(folder).as_posix()
        if name in named or generation_of(name) is None or path.is_symlink():
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    for name in (MANIFEST_FILE, SIGNATURE_FILE):
        sweep_leftovers(folder, name, left_after_s=0)
