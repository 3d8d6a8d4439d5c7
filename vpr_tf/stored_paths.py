"""Paths inside folders that others may have made: no way out, and no link.

A folder that is received (an index, a dataset, a run, a report, an exported model) may
hold names with `..` and symbolic links to anything on this machine. The folder itself
is named by the user and may lie behind a link; nothing below it may.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath


class StoredPathError(ValueError):
    """A path that leads out of its folder, or to what is no file and no folder."""


def is_inside(name: str) -> bool:
    """Whether a stored path stays inside the folder that it is relative to."""
    path = PurePosixPath(name)
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return False
    is_plain = "\0" not in name and ".." not in path.parts and not path.is_absolute()
    return is_plain and bool(path.parts)


def inside(folder: str | Path, *names: str) -> Path:
    """Returns a path in a folder, for reading, writing or deleting what is there.

    Args:
        folder: Named by the user.
        names: Stored or fixed, relative to the folder. What they name may be missing.

    Raises:
        StoredPathError: A name leads out of the folder, or something on the way is a
            symbolic link or neither a file nor a folder.

    Example:
        >>> inside("city.index", "../secret")
        Traceback (most recent call last):
            ...
        vpr_tf.stored_paths.StoredPathError: ...
    """
    path = Path(folder)
    for name in names:
        _check_inside(folder, name)
        for part in PurePosixPath(name).parts:
            path /= part
            _check_kind(path)
    return path


def _check_inside(folder: str | Path, name: str) -> None:
    if not is_inside(name):
        raise StoredPathError(
            f"A path stored in {folder} must stay inside that folder. Received: "
            f"{name[:80]!a}. Do not use a folder with such paths; ask whoever made "
            "it for another."
        )


def followed_inside(folder: str | Path, name: str) -> Path:
    """Returns where a path in a folder of one's own leads, whose links stay inside.

    For a folder whose links the user made, such as that of the photos, and a path that
    others may have made.

    Args:
        folder: Named by the user.
        name: Relative to the folder; what it names may be missing.

    Raises:
        StoredPathError: It leads out of the folder, or to neither a file nor a folder.
    """
    _check_inside(folder, name)
    try:
        root = Path(folder).resolve()
        path = Path(folder, name).resolve()
    except (OSError, RuntimeError) as error:  # links that lead to each other
        raise StoredPathError(f"{name} of {folder} leads nowhere: {error}") from error
    if not path.is_relative_to(root):
        raise StoredPathError(
            f"{name} is a link that leads out of {folder}. Name the folder that it "
            "leads to, or put a copy in its place"
        )
    _check_kind(path)
    return path


def files_inside(folder: str | Path, *names: str) -> list[Path]:
    """Returns all files below a path in a folder, sorted; none where it is missing.

    For what a library opens as a whole: nothing in it is a link.

    Args:
        folder: Named by the user.
        names: See `inside`.

    Raises:
        StoredPathError: See `inside`; also for what lies below.
    """
    root = inside(folder, *names)
    found = []
    for parent, folders, files in os.walk(root, onerror=_raise):
        for name in (*folders, *files):
            _check_kind(Path(parent, name))
        found += [Path(parent, name) for name in files]
    return sorted(found)


def _raise(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise error


def found_inside(folder: str | Path, pattern: str) -> Iterator[Path]:
    """Yields what a pattern names in a folder, in order, without following links.

    What lies right behind a link is named, so that `inside` refuses it by name.

    Args:
        folder: Named by the user.
        pattern: Names and `*`, as of `Path.glob`.
    """
    first, *rest = PurePosixPath(pattern).parts
    path, behind = Path(folder), "/".join(rest)
    if first == "*":
        children = sorted(path.iterdir()) if path.is_dir() else []
    else:
        children = [path / first]
    for child in children:
        if not rest:
            yield from [child] if child.exists() else []
        elif not child.is_symlink():
            yield from found_inside(child, behind)
        elif "*" not in behind and (child / behind).exists():
            yield child / behind


def _check_kind(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        kind = "a symbolic link" if stat.S_ISLNK(mode) else "no file"
        raise StoredPathError(
            f"{path} must be a file or a folder. Received: {kind}, which may lead "
            "anywhere on this machine. Put a copy of what belongs there in its place."
        )
