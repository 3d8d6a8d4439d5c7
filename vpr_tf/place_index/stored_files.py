"""Files that are written once, with their checksums."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import google_crc32c

from vpr_tf.search import IndexMismatchError

REMEDY = "Restore it from a copy of the folder, or build the index again."
_BLOCK_BYTES = 1 << 18  # stays in the cache of a core

Progress = Callable[[int], object]


@dataclass(frozen=True)
class StoredFile:
    """What a file must be.

    Attributes:
        num_bytes: Its size.
        crc32c: Compared whenever the file is opened, since that takes no time.
        sha256: Hexadecimal; compared by `verify`.
    """

    num_bytes: int
    crc32c: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> StoredFile:
        """Reads a file that was just written, and makes it survive a power cut."""
        sha256, crc32c, num_bytes = hashlib.sha256(), 0, 0
        for block in _blocks(path):
            sha256.update(block)
            crc32c = google_crc32c.extend(crc32c, block)
            num_bytes += len(block)
        fsync(path)
        return cls(num_bytes, crc32c, sha256.hexdigest())

    def check_size(self, path: Path) -> None:
        """Compares the size.

        Raises:
            FileNotFoundError: There is no such file.
            IndexMismatchError: The size is another one.
        """
        num_bytes = path.stat().st_size
        if num_bytes != self.num_bytes or not path.is_file():
            raise IndexMismatchError(
                f"{path} is damaged: it must have {self.num_bytes} bytes. Received: "
                f"{num_bytes}. {REMEDY}"
            )

    def check(self, path: Path) -> None:
        """Compares the size and the fast checksum.

        Raises:
            FileNotFoundError: There is no such file.
            IndexMismatchError: The file is another one.
        """
        self.check_size(path)
        crc32c = 0
        for block in _blocks(path):
            crc32c = google_crc32c.extend(crc32c, block)
        if crc32c != self.crc32c:
            raise IndexMismatchError(
                f"{path} is damaged: its checksum is not the one written down. {REMEDY}"
            )

    def problem(self, path: Path, progress: Progress | None = None) -> str | None:
        """Compares everything; returns what is wrong, or None.

        Args:
            path: The file.
            progress: Told the bytes of each part that was read.
        """
        try:
            num_bytes = path.stat().st_size
            if num_bytes != self.num_bytes:
                return f"must have {self.num_bytes} bytes, has {num_bytes}"
            sha256 = hashlib.sha256()
            for block in _blocks(path):
                sha256.update(block)
                if progress:
                    progress(len(block))
        except OSError as error:
            return f"cannot be read: {error.strerror}"
        return None if sha256.hexdigest() == self.sha256 else "has another sha256"


def unreadable(error: OSError, folder: Path) -> IndexMismatchError:
    """Returns the error of a file that is missing or cannot be read."""
    return IndexMismatchError(
        f"{error.filename or folder} cannot be read: {error.strerror}. {REMEDY}"
    )


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb", buffering=0) as file:
        while block := file.read(_BLOCK_BYTES):
            yield block


def fsync(path: Path) -> None:
    """Makes a file, or the names in a folder, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def store_folder(folder: Path) -> dict[str, StoredFile]:
    """Describes all files of a folder, and makes them survive a power cut.

    Returns:
        By path, relative to the folder.
    """
    paths = sorted(folder.rglob("*"))
    stored = {
        path.relative_to(folder).as_posix(): StoredFile.of(path)
        for path in paths
        if path.is_file()
    }
    for path in [*(path for path in paths if path.is_dir()), folder]:
        fsync(path)
    return stored
