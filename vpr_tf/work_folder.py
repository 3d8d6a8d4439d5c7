"""Folders beside what the user named, which this program fills, empties and deletes.

A folder of such a name may be someone else's. Those of this program bear a mark in
their lock file, which is the first file that is written; without it nothing is touched.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from vpr_tf.stored_paths import inside

LOCK_FILE = ".lock"
_MARK = b"vpr_tf works in this folder and deletes what lies in it.\n"
_LOCK_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


class ForeignFolderError(ValueError):
    """A folder that this program needs to work in, and that is not its own."""


def open_lock(folder: Path, name: str = LOCK_FILE) -> int:
    """Opens the lock file of a folder, which is made if it is missing.

    Returns:
        Its descriptor, for `fcntl.flock`.

    Raises:
        StoredPathError: It is a link, or no file.
        OSError: It cannot be made.
    """
    return os.open(inside(folder, name), _LOCK_FLAGS, 0o666)


def claim_folder(folder: Path, lock_name: str = LOCK_FILE) -> None:
    """Makes a work folder, or takes one that is empty or was made by this program.

    Raises:
        ForeignFolderError: The folder is someone else's.
        OSError: It cannot be made.
    """
    inside(folder.parent, folder.name)
    folder.mkdir(parents=True, exist_ok=True)
    if is_own(folder, lock_name):
        return
    if any(path.name != lock_name for path in folder.iterdir()):
        raise ForeignFolderError(
            f"{folder} must be a folder that this program made to work in, since it is "
            "emptied. Received: one with other files. Move it elsewhere, or choose "
            "another output."
        )
    number = open_lock(folder, lock_name)
    try:
        os.pwrite(number, _MARK, 0)
    finally:
        os.close(number)


def is_own(folder: Path, lock_name: str = LOCK_FILE) -> bool:
    """Whether a folder was made by this program to work in."""
    with contextlib.suppress(OSError, ValueError):
        return inside(folder, lock_name).read_bytes() == _MARK
    return False


def empty_folder(folder: Path, *kept: str) -> None:
    """Deletes all but some files from a work folder; no link in it is followed."""
    for path in sorted(folder.iterdir()):
        if path.name in kept:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def delete_folder(folder: Path, lock_name: str = LOCK_FILE) -> None:
    """Deletes a work folder; its mark last, so that a later run may go on with it."""
    empty_folder(folder, lock_name)
    (folder / lock_name).unlink(missing_ok=True)
    folder.rmdir()


def give_up_folder(folder: Path) -> None:
    """Takes the mark from a folder that is kept from now on."""
    os.truncate(inside(folder, LOCK_FILE), 0)
