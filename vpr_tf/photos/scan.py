"""First pass: reads the metadata of every image and rejects what cannot be used."""

from __future__ import annotations

import io
import os
import stat
import struct
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vpr_tf.photos.csv_table import parse_csv_entry, parse_csv_metadata
from vpr_tf.photos.errors import InvalidEntryError
from vpr_tf.photos.exif_position import read_exif_metadata
from vpr_tf.photos.image_headers import ImageHeader, read_image_header
from vpr_tf.photos.metadata import (
    ROW_DTYPE,
    WITHOUT_POSITION,
    ImageMetadata,
    complete_positions,
)
from vpr_tf.photos.sf_xl_names import has_name_fields, parse_image_name


@dataclass(frozen=True)
class ScanSettings:
    """How the entries of one split are read.

    Attributes:
        folder: Folder that the paths of the entries are relative to.
        is_csv: Entries are rows of a CSV table, else paths with SF-XL names.
        needs_position: False takes any file name and leaves the position unknown.
        decode: Decode every image as well.
        use_exif: Files without an SF-XL name have their position in EXIF data.
    """

    folder: str
    is_csv: bool
    needs_position: bool
    decode: bool
    use_exif: bool = False


@dataclass(frozen=True)
class ScannedChunk:
    """Rows of `ROW_DTYPE`, whose keys are counted from 0, and what was rejected."""

    rows: np.ndarray
    keys: bytes
    rejected: list[tuple[str, str]]
    longest_key: int
    decode_seconds: float


def scan_chunk(settings: ScanSettings, entries: list[str]) -> ScannedChunk:
    """Reads the metadata and the header of some images, in order."""
    rejected: list[tuple[str, str]] = []
    keys: list[bytes] = []
    table: list[ImageMetadata] = []
    files: list[tuple[int, ImageHeader]] = []
    decode_seconds = 0.0
    for entry in entries:
        row = parse_csv_entry(entry) if settings.is_csv else None
        path = row["path"] if row else entry
        file_path = os.path.join(settings.folder, path)  # noqa: PTH118
        try:
            key = _encode_key(path)
            in_file = settings.use_exif and not (row or has_name_fields(path))
            metadata = None if in_file else _parse_metadata(settings, path, row)
            file = _read_file_header(file_path)
            if metadata is None:
                metadata = _read_exif(settings, file_path)
            if settings.decode:
                decode_seconds += _decode(Path(file_path))
        except InvalidEntryError as error:
            line = f"line {row['line']}: " if row else ""
            rejected.append((path, f"{line}{error}"))
            continue
        keys.append(key)
        table.append(metadata)
        files.append(file)
    lengths = [len(key) for key in keys]
    return ScannedChunk(
        rows=_pack_rows(lengths, files, complete_positions(table)),
        keys=b"".join(keys),
        rejected=rejected,
        longest_key=max(lengths, default=0),
        decode_seconds=decode_seconds,
    )


def _encode_key(path: str) -> bytes:
    try:
        return path.encode()
    except UnicodeEncodeError:
        raise InvalidEntryError("name is not UTF-8") from None


def _parse_metadata(
    settings: ScanSettings, path: str, row: dict[str, str] | None
) -> ImageMetadata:
    try:
        return parse_csv_metadata(row) if row else parse_image_name(path)
    except InvalidEntryError:
        if settings.needs_position:
            raise
        return WITHOUT_POSITION


def _read_exif(settings: ScanSettings, file_path: str) -> ImageMetadata:
    try:
        return read_exif_metadata(file_path)
    except InvalidEntryError:
        if settings.needs_position:
            raise
        return WITHOUT_POSITION


def _read_file_header(path: str) -> tuple[int, ImageHeader]:
    """Returns the size of a file and its image header."""
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
        return status.st_size, read_image_header(descriptor, status.st_size)
    except OSError as error:
        raise InvalidEntryError(f"file cannot be read: {error.strerror}") from None
    finally:
        os.close(descriptor)


def _decode(file: Path) -> float:
    """Decodes an image and returns the seconds that it took."""
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None  # any size is accepted
    start = time.perf_counter()
    try:
        with Image.open(io.BytesIO(file.read_bytes())) as image:
            image.load()
    except (OSError, ValueError, SyntaxError, struct.error) as error:
        raise InvalidEntryError(f"image does not decode: {error}") from None
    return time.perf_counter() - start


def _pack_rows(
    key_lengths: list[int],
    files: list[tuple[int, ImageHeader]],
    table: list[ImageMetadata],
) -> np.ndarray:
    """Returns rows of `ROW_DTYPE`."""
    rows = np.array(
        [
            (0, size, *header, *metadata[:-1], metadata.timestamp.encode())
            for (size, header), metadata in zip(files, table, strict=True)
        ],
        ROW_DTYPE,
    )
    rows["key_end"] = np.cumsum(key_lengths, dtype=np.int64)
    return rows
