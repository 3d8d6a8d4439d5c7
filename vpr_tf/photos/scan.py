"""First pass: reads the metadata of every image and rejects what cannot be used."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from vpr_tf.config import DEFAULT_READING, ReadingConfig
from vpr_tf.photos.csv_table import (
    parse_csv_entry,
    read_csv_metadata,
    walk_csv_table,
)
from vpr_tf.photos.errors import InvalidEntryError, NoImageError, NoPositionError
from vpr_tf.photos.exif_position import read_exif_metadata
from vpr_tf.photos.file_kinds import SkippedFiles, is_image_name
from vpr_tf.photos.image_completeness import lost_text
from vpr_tf.photos.image_folder import walk_image_folder, walk_path_list
from vpr_tf.photos.image_headers import read_image_header
from vpr_tf.photos.metadata import (
    NOTHING_KNOWN,
    PartlyReadError,
    ReadMetadata,
    complete_positions,
    without_position,
)
from vpr_tf.photos.schema import (
    ROW_DTYPE,
    ImageHeader,
    ImageMetadata,
)
from vpr_tf.photos.sf_xl_names import has_name_fields, read_image_name


@dataclass(frozen=True)
class PhotoSource:
    """A folder of photos, with its subfolders, or a CSV table of them.

    If `<folder>_images_paths.txt` lies beside a folder, it says what the photos are.

    A position comes from the table; in a folder from the name of a file when that
    follows the SF-XL standard, else from its EXIF data.

    Attributes:
        path: The folder or table.
        needs_position: False takes any photo and leaves what is unknown unknown.
        reading: How names and tables are read.
        named: Entries that someone named, so that they are missed if not usable.
    """

    path: Path
    needs_position: bool = True
    reading: ReadingConfig = DEFAULT_READING
    named: frozenset[str] = frozenset()

    @property
    def is_csv(self) -> bool:
        """Whether the photos are listed in a table."""
        return self.path.suffix.lower() == ".csv"

    @property
    def folder(self) -> Path:
        """Folder that the paths of the photos are relative to."""
        if self.is_csv and self.reading.folder is not None:
            return Path(self.reading.folder)
        return self.path.parent if self.is_csv else self.path

    def exists(self) -> bool:
        """Whether the folder or table is there."""
        return self.path.is_file() if self.is_csv else self.path.is_dir()

    def walk(self, scratch: Path, skipped: SkippedFiles) -> Iterator[tuple[str, int]]:
        """Yields all entries in order, and the size in bytes of their files.

        Args:
            scratch: Folder for temporary files when one folder is too large to sort.
            skipped: Counts the files of a folder that are no photos by their names.

        Raises:
            PhotoSourceError: The source cannot be read.
        """
        if self.is_csv:
            return walk_csv_table(
                self.path, self.folder, self.needs_position, self.reading
            )
        list_file = self.list_file
        if list_file is not None:
            return skipped.leave_out(walk_path_list(list_file, self.path))
        return skipped.leave_out(walk_image_folder(self.path, scratch))

    @property
    def list_file(self) -> Path | None:
        """The list of photos beside a folder, as other tools write it, if any."""
        if self.is_csv or not self.path.name:
            return None
        file = self.path.with_name(f"{self.path.name}_images_paths.txt")
        return file if file.is_file() else None

    def is_other(self, path: str, error: InvalidEntryError) -> bool:
        """Whether a file of a folder, not usable, is no photo and none is missed."""
        return (
            not self.is_csv
            and path not in self.named
            and isinstance(error, NoImageError)
            and not is_image_name(path)
        )

    def read_entry(self, entry: str) -> tuple[str, str, dict[str, Any] | None]:
        """Returns path, place for messages and, of a table, the row of an entry."""
        if not self.is_csv:
            return entry, "", None
        row = parse_csv_entry(entry)
        return row["path"], f"line {row['line']}: ", row


@dataclass(frozen=True)
class ScannedChunk:
    """Rows of `ROW_DTYPE`, whose keys are counted from 0, and what was rejected.

    `num_other` files of a folder were no photos by name and content. `dropped` says
    what of the rows was left out because it cannot be.
    """

    rows: np.ndarray
    keys: bytes
    rejected: list[tuple[str, str]]
    dropped: list[tuple[str, str]]
    longest_key: int
    decode_seconds: float
    num_other: int


def scan_chunk(
    source: PhotoSource, entries: list[str], *, decode: bool = False
) -> ScannedChunk:
    """Reads the metadata and the header of some photos, in order.

    Args:
        source: Where the entries come from.
        entries: Of `PhotoSource.walk`.
        decode: Decode every image as well.
    """
    photos: list[_ReadPhoto] = []
    rejected: list[tuple[int, str, str]] = []
    decode_seconds, num_other = 0.0, 0
    for number, entry in enumerate(entries):
        path, place, csv_row = source.read_entry(entry)
        file_path = os.path.join(source.folder, path)  # noqa: PTH118
        try:
            key = _encode_key(path)
            known, dropped = _usable(source, _text_metadata, source, path, csv_row)
            file = _read_file_header(file_path, decode)
            if known is None:
                known, dropped = _usable(source, read_exif_metadata, file_path)
            if decode:
                decode_seconds += _decode(Path(file_path))
        except InvalidEntryError as error:
            if source.is_other(path, error):
                num_other += 1
            else:
                rejected.append((number, path, f"{place}{error}"))
            continue
        known = known or NOTHING_KNOWN
        photos.append(_ReadPhoto(number, path, place, key, file, known, dropped))
    table, impossible = _complete(source, photos)
    if source.needs_position:
        rejected, impossible = sorted(rejected + impossible), []
    lengths = [len(photo.key) for photo, _ in table]
    return ScannedChunk(
        rows=_pack_rows(table),
        keys=b"".join(photo.key for photo, _ in table),
        rejected=[(path, why) for _, path, why in rejected],
        dropped=[(path, why) for _, path, why in impossible],
        longest_key=max(lengths, default=0),
        decode_seconds=decode_seconds,
        num_other=num_other,
    )


class _ReadPhoto(NamedTuple):
    """A photo whose file is whole, what is said of it, and what of it cannot be."""

    number: int
    path: str
    place: str
    key: bytes
    file: tuple[int, ImageHeader]
    metadata: ReadMetadata
    dropped: str


def _complete(
    source: PhotoSource, photos: list[_ReadPhoto]
) -> tuple[list[tuple[_ReadPhoto, ImageMetadata]], list[tuple[int, str, str]]]:
    """Completes positions; returns the photos, and what of which cannot be."""
    completed = complete_positions([photo.metadata for photo in photos], source.reading)
    table, impossible = [], []
    for photo, found in zip(photos, completed, strict=True):
        reasons = [photo.dropped] if photo.dropped else []
        if isinstance(found, ImageMetadata):
            table.append((photo, found))
        else:
            reasons.append(str(found))
            if not source.needs_position:
                table.append((photo, without_position(photo.metadata)))
        if reasons:
            why = f"{photo.place}{'; '.join(reasons)}"
            impossible.append((photo.number, photo.path, why))
    return table, impossible


def _encode_key(path: str) -> bytes:
    try:
        return path.encode()
    except UnicodeEncodeError:
        raise InvalidEntryError("name is not UTF-8") from None


def _text_metadata(
    source: PhotoSource, path: str, csv_row: dict[str, Any] | None
) -> ReadMetadata | None:
    """Returns what table or name say; None when only EXIF data can."""
    if csv_row:
        return read_csv_metadata(csv_row, source.needs_position, source.reading)
    if has_name_fields(path):
        return read_image_name(path, source.reading)
    return None


def _usable(
    source: PhotoSource, read: Callable[..., ReadMetadata | None], *arguments: Any
) -> tuple[ReadMetadata | None, str]:
    """Returns what can be of a photo, and why the rest cannot, empty if there is none.

    Raises:
        InvalidEntryError: Something cannot be, and a position is needed.
    """
    try:
        return read(*arguments), ""
    except InvalidEntryError as error:
        if source.needs_position:
            raise
        if isinstance(error, NoPositionError):
            return NOTHING_KNOWN._replace(timestamp=error.timestamp), ""
        usable = error.usable if isinstance(error, PartlyReadError) else NOTHING_KNOWN
        return usable, str(error)


def _read_file_header(path: str, decode: bool) -> tuple[int, ImageHeader]:
    """Returns the size of a file and its image header.

    Args:
        path: The file.
        decode: Of a damaged file, say how much is missing.
    """
    try:
        # A named pipe would block without O_NONBLOCK.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InvalidEntryError(f"file cannot be read: {reason}") from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise InvalidEntryError("not a regular file")
        try:
            return status.st_size, read_image_header(descriptor, status.st_size)
        except InvalidEntryError as error:
            lost = lost_text(Path(path).read_bytes()) if decode else ""
            raise type(error)(f"{error}{lost and f'; {lost}'}") from None
    except OSError as error:
        raise InvalidEntryError(f"file cannot be read: {error.strerror}") from None
    finally:
        os.close(descriptor)


def _decode(file: Path) -> float:
    """Decodes an image and returns the seconds that it took."""
    from vpr_tf.photos.decoding import opened_image

    start = time.perf_counter()
    content = file.read_bytes()
    try:
        with opened_image(content) as image:
            lost = lost_text(content, np.asarray(image))
    except InvalidEntryError as error:
        lost = lost_text(content)
        raise InvalidEntryError(f"{error}{lost and f'; {lost}'}") from None
    if lost:
        raise InvalidEntryError(f"image lost a part of its data: {lost}")
    return time.perf_counter() - start


def _pack_rows(table: list[tuple[_ReadPhoto, ImageMetadata]]) -> np.ndarray:
    """Returns rows of `ROW_DTYPE`."""
    rows = np.array(
        [
            (
                *(0, photo.file[0], *photo.file[1]),
                *map(_stored, (*known, *photo.metadata.groups)),
            )
            for photo, known in table
        ],
        ROW_DTYPE,
    )
    rows["key_end"] = np.cumsum([len(photo.key) for photo, _ in table], dtype=np.int64)
    return rows


def _stored(value: Any) -> Any:
    return value.encode() if isinstance(value, str) else value
