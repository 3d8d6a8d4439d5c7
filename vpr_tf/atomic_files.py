"""Files and folders that are there in whole or not at all.

What is being written lies beside its place, under a random name that is made anew: a
link that someone planted is not followed. What a killed process left is deleted at the
next write of the same name, once it was untouched for an hour: a process number says
nothing to another host or container.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vpr_tf.disk_errors import with_path

_LEFT_AFTER_S = 3600.0
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Yields an empty temporary file beside `path` that takes its place at the end.

    The temporary name keeps all suffixes, since Keras looks at them.
    """
    temporary = _partial(path)
    os.close(os.open(temporary, _NEW_FILE, 0o666))
    try:
        with with_path(path):
            yield temporary
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def replace_file(path: Path) -> Iterator[Path]:
    """See `new_file`; it survives a power cut, and former leftovers are deleted."""
    sweep_leftovers(path.parent, path.name)
    with new_file(path) as temporary:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())


def write_at(path: Path, offset: int, data: bytes, *, durable: bool = False) -> None:
    """Writes at a place of a file that grows; what was there and after it is gone.

    Args:
        path: The file, made if it is missing.
        offset: Where, in bytes.
        data: What.
        durable: Whether it is on the disk before what is written next, which tells of
            it: it then survives a power cut.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    try:
        os.ftruncate(descriptor, offset)
        os.lseek(descriptor, offset, os.SEEK_SET)
        view = memoryview(data)
        while len(view):
            view = view[os.write(descriptor, view) :]
        if durable:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: Path, value: Any) -> None:
    """Writes indented JSON at once."""
    with replace_file(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2) + "\n")


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Yields an empty temporary folder beside `path`, which the caller renames.

    It is deleted at the end if it is still there, and former leftovers before.
    """
    sweep_leftovers(path.parent, path.name)
    temporary = _partial(path)
    temporary.mkdir()
    with _held(temporary):
        try:
            yield temporary
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


@contextlib.contextmanager
def scratch_folder(purpose: str) -> Iterator[Path]:
    """Yields a folder among the temporary files of the system, deleted at the end.

    Args:
        purpose: A word; what killed processes left of the same is deleted first.
    """
    prefix = f"vpr_tf_{purpose}_"
    left = re.compile(rf"{re.escape(prefix)}[a-z0-9_]{{8}}")
    _sweep(Path(tempfile.gettempdir()), left, _LEFT_AFTER_S)
    with tempfile.TemporaryDirectory(prefix=prefix) as folder, _held(Path(folder)):
        yield Path(folder)


def sweep_leftovers(
    folder: Path, name: str | None = None, left_after_s: float = _LEFT_AFTER_S
) -> None:
    """Deletes temporary files and folders of processes that were killed.

    Args:
        folder: Where they lie.
        name: What was being written; None for everything.
        left_after_s: How long no one has touched them; 0 where no other process can
            be writing, as under a lock.
    """
    _sweep(folder, _leftovers(name), left_after_s)


def is_leftover(name: str, written: str) -> bool:
    """Whether a file name is that of a temporary file for `written`."""
    return bool(_leftovers(written).fullmatch(name))


def _leftovers(name: str | None) -> re.Pattern[str]:
    written = ".+" if name is None else re.escape(name)
    return re.compile(rf"\.partial-[0-9a-f]+-{written}", re.DOTALL)


def _partial(path: Path) -> Path:
    return path.with_name(f".partial-{secrets.token_hex(6)}-{path.name}")


def _sweep(folder: Path, left: re.Pattern[str], left_after_s: float) -> None:
    # What cannot be listed or deleted is left to whoever writes there next.
    with contextlib.suppress(OSError):
        for path in [one for one in folder.iterdir() if left.fullmatch(one.name)]:
            with contextlib.suppress(OSError):
                _delete(path, time.time() - left_after_s)


def _delete(path: Path, untouched_since_s: float) -> None:
    """Deletes an own file, or a folder that no process holds; never a link."""
    status = path.lstat()
    if status.st_uid != os.geteuid() or _last_change_s(path) > untouched_since_s:
        return
    if stat.S_ISREG(status.st_mode):
        path.unlink()
    elif stat.S_ISDIR(status.st_mode):
        with _held(path) as is_ours:
            if is_ours:
                shutil.rmtree(path, ignore_errors=True)


def _last_change_s(path: Path) -> float:
    """Returns when something in a file or folder was last changed."""
    paths = [str(path)]
    for folder, folders, files in os.walk(path):
        paths += [f"{folder}/{name}" for name in (*folders, *files)]
    return max(os.lstat(one).st_mtime for one in paths)


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[bool]:
    """Tells other processes that a folder is in use, as long as this one lives.

    Yields whether that was possible: no other process uses it, and the file system
    knows such locks.
    """
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        is_ours = True
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            is_ours = False
        yield is_ours
    finally:
        os.close(number)
