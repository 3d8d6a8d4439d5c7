"""Files that are written once, with checksums by which any change is noticed."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

import google_crc32c
import numpy as np

_BLOCK_BYTES = 1 << 18  # stays in the cache of a core

_NPY_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}

Progress = Callable[[int], object]


@dataclass(frozen=True)
class StoredFile:
    """What a file must be.

    Attributes:
        num_bytes: Its size.
        crc32c: Takes no time, so it can be compared whenever the file is opened.
        sha256: Hexadecimal.
    """

    num_bytes: int
    crc32c: int
    sha256: str

    @classmethod
    def from_path(cls, path: Path) -> StoredFile:
        """Reads a file that was just written, and makes it survive a power cut."""
        sums = Checksums()
        for block in _blocks(path):
            sums.update(block)
        fsync(path)
        return sums.stored()

    def problem(
        self,
        path: Path,
        compare: Literal["size", "crc32c", "sha256"] = "crc32c",
        progress: Progress | None = None,
    ) -> str | None:
        """Compares a file; returns what is wrong after "it", or None.

        Args:
            path: The file.
            compare: What is compared besides the size.
            progress: Called with the bytes of each part that was read.
        """
        try:
            num_bytes = path.stat().st_size
            if num_bytes != self.num_bytes:
                return f"must have {self.num_bytes} bytes, has {num_bytes}"
            if not path.is_file():
                return "must be a file"
            if compare == "size":
                return None
            sums = Checksums(with_sha256=compare == "sha256")
            for block in _blocks(path):
                sums.update(block)
                if progress:
                    progress(len(block))
        except OSError as error:
            return f"cannot be read: {error.strerror}"
        found = getattr(sums.stored(), compare)
        return None if found == getattr(self, compare) else f"has another {compare}"


class Checksums:
    """Size and checksums of bytes that come in parts."""

    def __init__(self, *, with_sha256: bool = True) -> None:
        self._sha256 = hashlib.sha256() if with_sha256 else None
        self._crc32c = self._num_bytes = 0

    def update(self, part: bytes) -> None:
        """Adds a part."""
        if self._sha256:
            self._sha256.update(part)
        self._crc32c = google_crc32c.extend(self._crc32c, part)
        self._num_bytes += len(part)

    def stored(self) -> StoredFile:
        """Returns what a file of these parts must be."""
        sha256 = self._sha256.hexdigest() if self._sha256 else ""
        return StoredFile(self._num_bytes, self._crc32c, sha256)


class ChecksumWriter:
    """Computes the checksums of a file while it is written."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._sums = Checksums()

    def write(self, part: bytes) -> None:
        """Writes a part."""
        self._file.write(part)
        self._sums.update(part)

    def stored(self) -> StoredFile:
        """Returns what the file must be."""
        return self._sums.stored()


def store_folder(folder: Path) -> dict[str, StoredFile]:
    """Describes all files of a folder, and makes them survive a power cut.

    Returns:
        By path, relative to the folder.
    """
    paths = sorted(folder.rglob("*"))
    stored = {
        path.relative_to(folder).as_posix(): StoredFile.from_path(path)
        for path in paths
        if path.is_file()
    }
    for path in [*(path for path in paths if path.is_dir()), folder]:
        fsync(path)
    return stored


def read_npy(path: Path, *, mapped: bool = True) -> np.ndarray:
    """Reads an array, nothing of it pickled.

    Args:
        path: A `.npy` file.
        mapped: Whether it is memory-mapped, unless it is empty, which cannot be.

    Raises:
        OSError: It cannot be read.
        ValueError: It is damaged.
    """
    try:
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            read_header = _NPY_HEADERS[version]
            shape, _, dtype = read_header(file)
            values = math.prod(shape) * dtype.itemsize
            if min(shape, default=0) < 0 or values > path.stat().st_size:
                raise ValueError(f"it declares {values} bytes of {dtype}")
        mode: Literal["r"] | None = "r" if mapped and values else None
        return np.asanyarray(np.load(path, mode, allow_pickle=False))
    except OSError:
        raise
    except Exception as error:  # NumPy evaluates the header by Python's own parser
        raise ValueError(f"it is no array that NumPy wrote: {error}") from error


def fsync(path: Path) -> None:
    """Makes a file, or the names in a folder, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb", buffering=0) as file:
        while block := file.read(_BLOCK_BYTES):
            yield block
