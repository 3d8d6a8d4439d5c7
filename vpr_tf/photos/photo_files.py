"""Photos on disk that can be described, and what is known of them."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vpr_tf.geo import Positions
from vpr_tf.photos.photo_table import PhotoTable


class RejectedPhoto(NamedTuple):
    """A file that cannot be used, and why."""

    path: str
    reason: str

    @property
    def printable_path(self) -> str:
        """The path as text that can be written, whatever bytes its name has."""
        return os.fsencode(self.path).decode("utf-8", "backslashreplace")


@dataclass(frozen=True, eq=False)
class PhotoFiles:
    """Photos whose files are whole as far as their headers tell, one entry a photo.

    Attributes:
        folder: Folder that the paths are relative to.
        paths: UTF-8 bytes, relative to `folder`.
        photos: Keys and metadata; the keys are the paths unless a prefix was added.
        file_sizes: Bytes of each file, int64.
        heights: Of the stored pixels, before the EXIF orientation.
        widths: Likewise.
        exif_orientations: 1 to 8.
        rejected: What was found besides and cannot be used.
        num_skipped: Files that are no photos by their names, such as notes.txt.
    """

    folder: Path
    paths: np.ndarray
    photos: PhotoTable
    file_sizes: np.ndarray
    heights: np.ndarray
    widths: np.ndarray
    exif_orientations: np.ndarray
    rejected: tuple[RejectedPhoto, ...] = ()
    num_skipped: int = 0

    @classmethod
    def from_rows(
        cls,
        folder: Path,
        rows: np.ndarray,
        keys: np.ndarray,
        rejected: tuple[RejectedPhoto, ...] = (),
    ) -> PhotoFiles:
        """Makes photos of scanned rows.

        Args:
            folder: Folder that the keys are relative to.
            rows: Rows of `ROW_DTYPE`.
            keys: Bytes, one a row.
            rejected: See the attribute.
        """
        positions = Positions(
            rows["utm_east_cm"].copy(),
            rows["utm_north_cm"].copy(),
            rows["utm_zone"].copy(),
            rows["latitude_e7"] / 1e7,
            rows["longitude_e7"] / 1e7,
        )
        longest = np.char.str_len(rows["timestamp"]).max(initial=1)
        timestamps = rows["timestamp"].astype(f"S{longest}")
        return cls(
            folder,
            keys,
            PhotoTable(keys, positions, rows["heading_deg"].copy(), timestamps),
            rows["file_size"].copy(),
            rows["height"].copy(),
            rows["width"].copy(),
            rows["exif_orientation"].copy(),
            rejected,
        )

    def __len__(self) -> int:
        return len(self.paths)

    def file(self, row: int) -> str:
        """Returns where a photo lies."""
        return os.path.join(self.folder, self.paths[row].decode())  # noqa: PTH118

    def take(self, rows: np.ndarray) -> PhotoFiles:
        """Returns some photos, in the order of `rows`, an array of row numbers."""
        columns = ("paths", "file_sizes", "heights", "widths", "exif_orientations")
        taken = {name: getattr(self, name)[rows] for name in columns}
        return dataclasses.replace(self, photos=self.photos.take(rows), **taken)

    def with_rejected(self, rejected: Iterable[RejectedPhoto]) -> PhotoFiles:
        """Returns the same photos with further files that cannot be used."""
        return dataclasses.replace(self, rejected=(*self.rejected, *rejected))

    def with_key_prefix(self, prefix: str) -> PhotoFiles:
        """Returns the same photos with longer keys, e.g. of the day they were taken."""
        if not prefix:
            return self
        keys = np.char.add(prefix.encode(), self.paths)
        return dataclasses.replace(
            self, photos=dataclasses.replace(self.photos, keys=keys)
        )

    def identity(self) -> str:
        """Returns a hash over path, size and time of change of every file."""
        digest = hashlib.sha256()
        for row, path in enumerate(self.paths):
            try:
                changed_ns = Path(self.file(row)).stat().st_mtime_ns
            except OSError:
                changed_ns = -1
            digest.update(b"%s\0%d %d\0" % (path, self.file_sizes[row], changed_ns))
        return digest.hexdigest()
