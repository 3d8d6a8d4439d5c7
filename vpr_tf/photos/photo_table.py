"""What is known of photos besides their pixels, one entry a photo."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vpr_tf.geo import Positions
from vpr_tf.photos.file_kinds import SkippedFiles
from vpr_tf.photos.schema import METADATA_COLUMNS, TABLE_COLUMNS, table_columns
from vpr_tf.printable import printable


@dataclass(frozen=True, eq=False)
class PhotoTable:
    """Metadata of photos.

    Attributes:
        keys: Names, unique, UTF-8 bytes.
        positions: Where they were taken.
        heading_deg: Float32 degrees clockwise from north; -1 where unknown.
        timestamps: `YYYY[MM[DD[_hh[mm[ss]]]]]` as bytes; empty where unknown.
    """

    keys: np.ndarray
    positions: Positions
    heading_deg: np.ndarray
    timestamps: np.ndarray

    @classmethod
    def from_columns(cls, columns: Mapping[str, np.ndarray]) -> PhotoTable:
        """Returns the table of columns named as in `schema.TABLE_COLUMNS`."""
        names = [field.name for field in dataclasses.fields(Positions)]
        return cls(
            columns["key"],
            Positions(*(columns[name] for name in names)),
            columns["heading_deg"],
            columns["timestamp"],
        )

    @classmethod
    def concatenate(cls, tables: Sequence[PhotoTable]) -> PhotoTable:
        """Returns the photos of several tables, one after the other."""
        parts = [table.columns() for table in tables]
        return cls.from_columns(
            {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        )

    def columns(self) -> dict[str, np.ndarray]:
        """Returns the columns of `schema.TABLE_COLUMNS`."""
        columns = {
            "key": self.keys,
            "heading_deg": self.heading_deg,
            "timestamp": self.timestamps,
        }
        for field in dataclasses.fields(Positions):
            columns[field.name] = getattr(self.positions, field.name)
        return {name: columns[name] for name in TABLE_COLUMNS}

    def __len__(self) -> int:
        return len(self.keys)

    def take(self, rows: np.ndarray) -> PhotoTable:
        """Returns some photos, in the order of `rows`, an array of row numbers."""
        return self.from_columns(
            {name: values[rows] for name, values in self.columns().items()}
        )


class RejectedPhoto(NamedTuple):
    """A file that cannot be used, and why."""

    path: str
    reason: str

    @property
    def printable_path(self) -> str:
        """The path as text that can be written, whatever bytes its name has."""
        return os.fsencode(self.path).decode("utf-8", "backslashreplace")


DROPPED_SHOWN = 3  # examples in a message


def dropped_text(num_photos: int, examples: Iterable[tuple[str, str]]) -> str:
    """Returns how many photos are taken without what cannot be, for people.

    Args:
        num_photos: How many.
        examples: Path and reason of some; the first `DROPPED_SHOWN` are shown.
    """
    shown = "".join(
        f"\n  {printable(f'{path}: {reason}')}"
        for path, reason in itertools.islice(examples, DROPPED_SHOWN)
    )
    return (
        f"{num_photos:,} photos are taken without a position, heading, time or group "
        f"that cannot be. The first:{shown}"
    )


@dataclass(frozen=True, eq=False)
class PhotoFiles:
    """Photos whose files are whole as far as their headers tell, one entry a photo.

    Attributes:
        folder: Folder that the paths are relative to.
        paths: UTF-8 bytes, relative to `folder`.
        photos: Keys and metadata; the keys are the paths unless a prefix was added.
        rows: Rows of `schema.ROW_DTYPE`, as they were scanned; texts may be narrower.
        rejected: What was found besides and cannot be used.
        skipped: Files beside them that are no photos.
        listed_in: The list that says what the photos of the folder are, if any.
        dropped: Photos that are taken without a position, heading or time that cannot
            be, and why.
        excluded: Photos that can be used and were left out, and why.
    """

    folder: Path
    paths: np.ndarray
    photos: PhotoTable
    rows: np.ndarray
    rejected: tuple[RejectedPhoto, ...] = ()
    skipped: SkippedFiles = dataclasses.field(default_factory=SkippedFiles)
    listed_in: Path | None = None
    dropped: tuple[RejectedPhoto, ...] = ()
    excluded: tuple[RejectedPhoto, ...] = ()

    @classmethod
    def from_rows(
        cls,
        folder: Path,
        rows: np.ndarray,
        keys: np.ndarray,
        rejected: tuple[RejectedPhoto, ...] = (),
        skipped: SkippedFiles | None = None,
        listed_in: Path | None = None,
    ) -> PhotoFiles:
        """Makes photos of scanned rows and their keys, bytes; see the attributes."""
        columns = {name: rows[name].copy() for name in METADATA_COLUMNS}
        longest = np.char.str_len(rows["timestamp"]).max(initial=1)
        columns["timestamp"] = columns["timestamp"].astype(f"S{longest}")
        photos = PhotoTable.from_columns(table_columns(columns) | {"key": keys})
        others = skipped or SkippedFiles()
        return cls(folder, keys, photos, rows, rejected, others, listed_in)

    @property
    def file_sizes(self) -> np.ndarray:
        """Bytes of each file, int64."""
        return self.rows["file_size"]

    @property
    def heights(self) -> np.ndarray:
        """Of the stored pixels, before the EXIF orientation."""
        return self.rows["height"]

    @property
    def widths(self) -> np.ndarray:
        """Likewise."""
        return self.rows["width"]

    @property
    def exif_orientations(self) -> np.ndarray:
        """The EXIF tag of each, 1 to 8."""
        return self.rows["exif_orientation"]

    def __len__(self) -> int:
        return len(self.paths)

    def file(self, row: int) -> str:
        """Returns where a photo lies."""
        return os.path.join(self.folder, self.paths[row].decode())  # noqa: PTH118

    def size_px(self, row: int) -> tuple[int, int]:
        """Returns width and height of a photo's stored pixels."""
        return int(self.widths[row]), int(self.heights[row])

    def take(self, rows: np.ndarray) -> PhotoFiles:
        """Returns some photos, in the order of `rows`, an array of row numbers."""
        return dataclasses.replace(
            self,
            paths=self.paths[rows],
            photos=self.photos.take(rows),
            rows=self.rows[rows],
        )

    def without(self, left_out: np.ndarray, reasons: Iterable[str]) -> PhotoFiles:
        """Returns the photos without some, which are `excluded` then.

        Args:
            left_out: Whether each photo is, bool.
            reasons: Why, of each of these.
        """
        paths = [path.decode() for path in self.paths[left_out].tolist()]
        excluded = map(RejectedPhoto, paths, reasons)
        kept = self.take(np.flatnonzero(~left_out))
        return dataclasses.replace(kept, excluded=(*self.excluded, *excluded))

    def with_nothing_else(self) -> PhotoFiles:
        """Returns the same photos without what was found beside them."""
        return PhotoFiles(self.folder, self.paths, self.photos, self.rows)

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
