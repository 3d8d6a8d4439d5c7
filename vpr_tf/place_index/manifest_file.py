"""The manifest of an open index, by which its changes are noticed."""

from __future__ import annotations

import os
import weakref
from pathlib import Path

from vpr_tf.place_index.manifest import no_manifest


class ManifestFile:
    """A file that was read and stays open, so that no other gets its inode number."""

    def __init__(self, path: Path, number: int) -> None:
        self.path = path
        weakref.finalize(self, os.close, number)
        self._stamp = _stamp(os.fstat(number))
        with open(number, "rb", closefd=False) as file:
            self.text = file.read()

    @classmethod
    def open(cls, path: Path) -> ManifestFile:
        """Opens a manifest."""
        try:
            return cls(path, os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC))
        except OSError as error:
            raise no_manifest(path.parent, error) from error

    def is_current(self) -> bool:
        """Whether the path still names this very file, unchanged."""
        try:
            return _stamp(self.path.lstat()) == self._stamp
        except OSError:
            return False


def _stamp(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
