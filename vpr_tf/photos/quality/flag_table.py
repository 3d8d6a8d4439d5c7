"""The CSV table of photos with their flags: `vpr data build` and others read it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from vpr_tf.atomic_files import replace_file
from vpr_tf.config import QUALITY_FLAGS, ReadingConfig
from vpr_tf.csv_files import csv_writer, name_cell
from vpr_tf.geo import LOCAL_ZONE, UNKNOWN_HEADING_DEG
from vpr_tf.photos.csv_table import parse_csv_entry, walk_csv_table
from vpr_tf.photos.errors import PhotoSourceError
from vpr_tf.photos.metadata import LOCAL
from vpr_tf.photos.photo_table import PhotoFiles
from vpr_tf.photos.quality.rules import FlaggedPhotos, bits_of, value_text

FLAGS_COLUMN = "flags"
_SEPARATOR = " "
_COLUMNS = (
    *("path", "latitude", "longitude", "utm_east", "utm_north", "zone"),
    *("heading_deg", "timestamp", FLAGS_COLUMN),
)


def write_flags(flagged: FlaggedPhotos, path: Path) -> None:
    """Writes photos with position, heading, time, flags and what was measured.

    Args:
        flagged: The photos.
        path: The table; the paths in it are relative to its folder.

    Raises:
        OSError: The file cannot be written.
    """
    values = [
        (rule.value, finding.values)
        for rule, finding in zip(flagged.rules, flagged.findings, strict=True)
        if rule.value not in _COLUMNS
    ]
    known = flagged.files.photos.positions.known
    places = _relative_paths(flagged.files, path.parent)
    with (
        replace_file(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv_writer(file)
        writer.writerow((*_COLUMNS, *(name for name, _ in values)))
        for row, place in enumerate(places):
            position = _position(flagged.files, row, known[row])
            heading_and_time = _heading_and_time(flagged.files, row)
            flags = _SEPARATOR.join(flagged.names(row))
            others = (name_cell(value_text(column[row])) for _, column in values)
            writer.writerow((place, *position, *heading_and_time, flags, *others))


def read_flags(
    table: Path, files: PhotoFiles, reading: ReadingConfig
) -> np.ndarray | None:
    """Returns the flags that a table of photos gives them.

    Args:
        table: CSV table of the photos, as `write_flags` or another program wrote it.
        files: What was read from it.
        reading: How.

    Returns:
        uint32 bits as of `FlaggedPhotos`, one a photo; None where the table has no
        column `flags`.

    Raises:
        PhotoSourceError: The table cannot be read, or has a flag that there is not.
    """
    bits: dict[bytes, np.uint32] = {}
    for entry, _ in walk_csv_table(table, False, reading):
        row = parse_csv_entry(entry)
        if FLAGS_COLUMN not in row:
            return None
        bits[row["path"].encode()] = _bits_of(table, row)
    paths = files.paths.tolist()
    return np.array([bits[path] for path in paths], np.uint32)


def _bits_of(table: Path, row: dict[str, Any]) -> np.uint32:
    flags = row[FLAGS_COLUMN].split()
    unknown = [flag for flag in flags if flag not in QUALITY_FLAGS]
    if unknown:
        raise PhotoSourceError(
            f"{table}, line {row['line']}: the column {FLAGS_COLUMN} must have flags "
            f"of {', '.join(QUALITY_FLAGS)}. Received: {unknown[0][:80]!r}"
        )
    return bits_of(flags)


def _relative_paths(files: PhotoFiles, folder: Path) -> Iterator[str]:
    """Yields the paths of photos from a folder, so that none is a formula."""
    start = os.path.relpath(files.folder, folder)
    for path in files.paths.tolist():
        name = path.decode() if start == "." else f"{start}/{path.decode()}"
        yield name if name_cell(name) == name else f"./{name}"


def _position(files: PhotoFiles, row: int, is_known: bool) -> tuple[str, ...]:
    """Returns latitude, longitude, UTM east, north and zone as text."""
    if not is_known:
        return ("",) * 5
    stored = files.rows[row]
    utm = [_decimal(int(stored[n]), 2) for n in ("utm_east_cm", "utm_north_cm")]
    zone = int(stored["utm_zone"])
    if zone == LOCAL_ZONE:
        return "", "", *utm, LOCAL
    degrees = [_decimal(int(stored[n]), 7) for n in ("latitude_e7", "longitude_e7")]
    return *degrees, *utm, str(zone)


def _decimal(whole: int, places: int) -> str:
    """Returns an exact decimal number of a whole one."""
    return str(Decimal(whole).scaleb(-places))


def _heading_and_time(files: PhotoFiles, row: int) -> tuple[str, str]:
    stored = files.rows[row]
    heading = float(stored["heading_deg"])
    known = heading != UNKNOWN_HEADING_DEG
    return f"{heading:.7g}" if known else "", stored["timestamp"].decode()
