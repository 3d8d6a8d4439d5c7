"""A folder of images, walked in the order of the sorted relative paths."""

from __future__ import annotations

import heapq
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

import numpy as np

from vpr_tf.photos.errors import PhotoSourceError
from vpr_tf.photos.text_encoding import encoding_text

# A folder with more entries is sorted on disk, in parts that are files open together:
# memory stays constant, and there are fewer than a process may open.
ENTRIES_IN_MEMORY = 200_000
MOST_OPEN_PARTS = 256
_BLOCK_BYTES = 1 << 16


def walk_image_folder(folder: Path, scratch: Path) -> Iterator[tuple[str, int]]:
    """Yields every file below a folder, with its size.

    The order is that of `sorted()` over all relative paths, without holding them:
    in each folder a subfolder sorts as its name followed by "/".

    Args:
        folder: Folder to walk; links to folders are followed.
        scratch: Folder for temporary files when one folder is too large to sort.

    Yields:
        The path relative to `folder`, with "/", and the size in bytes, -1 when it
        cannot be read.

    Raises:
        PhotoSourceError: The folder cannot be read, or a link leads back to a parent.
    """
    yield from _walk(folder, "", scratch, (os.path.realpath(folder),))


def walk_path_list(file: Path, folder: Path) -> Iterator[tuple[str, int]]:
    """Yields the files that a text names, one a line, with their sizes.

    Args:
        file: The text, in UTF-8.
        folder: What its paths are relative to.

    Yields:
        As `walk_image_folder`, in the order of the text.

    Raises:
        PhotoSourceError: The text cannot be read, names a file twice, or one by `..`.
    """
    _refuse_repetitions(file, folder)
    for path in _listed_paths(file, folder):
        yield path, _size(folder / path)


def _listed_paths(file: Path, folder: Path) -> Iterator[str]:
    try:
        with file.open(encoding="utf-8-sig") as lines:
            for line in lines:
                if "\0" in line:
                    raise PhotoSourceError(encoding_text(file))
                path = line.strip().removeprefix("./")
                if ".." in path.split("/"):
                    raise PhotoSourceError(
                        f"{file} names {path}, which is outside {folder}. Name files "
                        "in that folder only."
                    )
                if path:
                    yield path
    except UnicodeDecodeError as error:
        raise PhotoSourceError(encoding_text(file)) from error
    except OSError as error:
        raise PhotoSourceError(f"Cannot read the list {file}: {error}.") from error


def _refuse_repetitions(file: Path, folder: Path) -> None:
    """Raises a `PhotoSourceError` when a list names a file twice.

    It holds 8 bytes a path; paths themselves only where two have the same hash.
    """
    hashes = np.fromiter(map(hash, _listed_paths(file, folder)), np.int64)
    hashes.sort()
    shared = set(hashes[1:][hashes[1:] == hashes[:-1]].tolist())
    if not shared:
        return
    known: set[str] = set()
    for path in _listed_paths(file, folder):
        if hash(path) in shared:
            if path in known:
                raise PhotoSourceError(f"{file} names {path} more than once.")
            known.add(path)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except (OSError, ValueError):
        return -1


def _walk(
    folder: Path, prefix: str, scratch: Path, parents: tuple[str, ...]
) -> Iterator[tuple[str, int]]:
    for name, size in _sorted_entries(folder, scratch):
        if not name.endswith("/"):
            yield prefix + name, size
            continue
        subfolder = folder / name[:-1]
        real_path = os.path.realpath(subfolder)
        if real_path in parents:
            raise PhotoSourceError(
                f"The link {subfolder} leads back to {real_path}. Remove it."
            )
        yield from _walk(subfolder, prefix + name, scratch, (*parents, real_path))


def _sorted_entries(folder: Path, scratch: Path) -> Iterator[tuple[str, int]]:
    """Yields the entries of one folder by name; subfolders end with "/"."""
    runs: list[Iterator[tuple[str, int]]] = []
    batch: list[tuple[str, int]] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                batch.append(_describe(entry))
                if len(batch) == ENTRIES_IN_MEMORY:
                    batch.sort()
                    runs.append(_spill(batch, scratch))
                    batch = []
                if len(runs) == MOST_OPEN_PARTS:
                    runs = [_spill(heapq.merge(*runs), scratch)]
    except OSError as error:
        raise PhotoSourceError(
            f"Cannot read the folder {folder}: {error.strerror}."
        ) from error
    batch.sort()
    yield from heapq.merge(*runs, batch) if runs else batch


def _describe(entry: os.DirEntry[str]) -> tuple[str, int]:
    try:
        if entry.is_dir():
            return entry.name + "/", 0
        return entry.name, entry.stat().st_size
    except OSError:
        return entry.name, -1


def _spill(
    batch: Iterable[tuple[str, int]], scratch: Path
) -> Iterator[tuple[str, int]]:
    """Writes a sorted run to a temporary file and returns an iterator over it."""
    file = tempfile.TemporaryFile(dir=scratch)  # noqa: SIM115 - the reader closes it
    # A name may hold any character but "/" and NUL.
    file.writelines(b"%d %s\0" % (size, os.fsencode(name)) for name, size in batch)
    file.seek(0)
    return _read_run(file)


def _read_run(file: IO[bytes]) -> Iterator[tuple[str, int]]:
    with file:
        for item in nul_terminated(file):
            size, _, name = item.partition(b" ")
            yield os.fsdecode(name), int(size)


def nul_terminated(file: IO[bytes]) -> Iterator[bytes]:
    """Yields the items of a file that end with a NUL byte, reading it in blocks."""
    rest = b""
    while block := file.read(_BLOCK_BYTES):
        *items, rest = (rest + block).split(b"\0")
        yield from items
