"""The CSV table of photos with their flags: `vpr data build` and others read it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from vpr_tf.atomic_files import replace_file
from vpr_tf.config import DEFAULT_READING, QUALITY_FLAGS, ReadingConfig
from vpr_tf.csv_files import csv_writer, name_cell
from vpr_tf.geo import LOCAL_ZONE, UNKNOWN_HEADING_DEG
from vpr_tf.photos.csv_table import (
    csv_column_names,
    parse_csv_entry,
    walk_csv_table,
)
from vpr_tf.photos.errors import PhotoSourceError
from vpr_tf.photos.metadata import LOCAL
from vpr_tf.photos.photo_table import PhotoFiles
from vpr_tf.photos.quality.duplicates import DUPLICATE_RULES
from vpr_tf.photos.quality.rules import FlaggedPhotos, bits_of, value_text
from vpr_tf.photos.schema import NO_GROUPS
from vpr_tf.printable import printable

FLAGS_COLUMN = "flags"
_SEPARATOR = " "
_COLUMNS = (
    *("path", "latitude", "longitude", "utm_east", "utm_north", "zone"),
    *("heading_deg", "timestamp", FLAGS_COLUMN),
)


@dataclass(frozen=True, eq=False)
class TableFlags:
    """The flags that a table gives its photos.

    Attributes:
        flags: uint32 bits as of `FlaggedPhotos`, one a photo.
        originals: For each flag of copies the paths of the photos that they are copies
            of, bytes, empty where the table says none.
        columns: Names of all columns.
        named: Bits of all flags that a whole row has.
    """

    flags: np.ndarray
    originals: Mapping[str, np.ndarray]
    columns: list[str]
    named: np.uint32


def write_flags(
    flagged: FlaggedPhotos, path: Path, reading: ReadingConfig = DEFAULT_READING
) -> None:
    """Writes photos with position, heading, time, flags and what was measured.

    And with what they belong to, where that is known of any.

    Args:
        flagged: The photos.
        path: The table; the paths in it are relative to its folder.
        reading: How it will be read: the delimiter, and the names of columns.

    Raises:
        OSError: The file cannot be written.
    """
    values = [
        (rule.value, finding.values)
        for rule, finding in zip(flagged.rules, flagged.findings, strict=True)
        if rule.value not in _COLUMNS
    ]
    groups = _groups(flagged.files)
    known = flagged.files.photos.positions.known
    places = list(_relative_paths(flagged.files, path.parent))
    place_of = dict(zip(flagged.files.photos.keys.tolist(), places, strict=True))
    with (
        replace_file(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv_writer(file, reading.delimiter or ",")
        columns = (reading.columns.get(name, name) for name in (*_COLUMNS, *groups))
        writer.writerow((*columns, *(name for name, _ in values)))
        for row, place in enumerate(places):
            position = _position(flagged.files, row, known[row])
            heading_and_time = _heading_and_time(flagged.files, row)
            flags = _SEPARATOR.join(flagged.names(row))
            others = (
                place_of.get(value) or name_cell(value_text(value))
                for value in (column[row] for _, column in values)
            )
            of_groups = (texts[row] for texts in groups.values())
            writer.writerow(
                (place, *position, *heading_and_time, flags, *of_groups, *others)
            )


def read_flags(
    table: Path, files: PhotoFiles, reading: ReadingConfig
) -> TableFlags | None:
    """Returns the flags that a table of photos gives them.

    Args:
        table: CSV table of the photos, as `write_flags` or another program wrote it.
        files: What was read from it.
        reading: How.

    Returns:
        Its flags; None where the table has no column `flags`. Of a photo that it lists
        twice they are those of the first whole row.

    Raises:
        PhotoSourceError: The table cannot be read, has a flag that there is not, or
            lacks a photo by now.
    """
    named = np.uint32(0)
    said: dict[bytes, _Said] = {}
    malformed: dict[bytes, dict[str, Any]] = {}  # rejected, if a position is needed
    for entry, _ in walk_csv_table(table, table.parent, False, reading):
        row = parse_csv_entry(entry)
        if FLAGS_COLUMN not in row:
            return None
        if "problem" in row:
            malformed.setdefault(row["path"].encode(), row)
        else:
            of_row = _said(table, row)
            named |= of_row[0]
            said.setdefault(row["path"].encode(), of_row)
    for path in malformed.keys() & set(files.paths.tolist()) - said.keys():
        said[path] = _said(table, malformed[path])
    try:
        of_photos = [said[path] for path in files.paths.tolist()]
    except KeyError as error:
        raise PhotoSourceError(
            f"{table} was changed while it was read: it no longer has the photo "
            f"{printable(error.args[0].decode())}. Run the command again."
        ) from None
    bits = np.array([row[0] for row in of_photos], np.uint32)
    copies = {
        rule.flag: np.array([row[place] for row in of_photos], "S")
        for place, rule in enumerate(DUPLICATE_RULES, start=1)
    }
    return TableFlags(bits, copies, csv_column_names(table, reading), named)


_Said = tuple[Any, ...]  # the bits, then what it is a copy of by each of the rules


def _said(table: Path, row: dict[str, Any]) -> _Said:
    originals = (row.get(rule.value, "").encode() for rule in DUPLICATE_RULES)
    return _bits_of(table, row), *originals


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
    """Yields the paths of photos from a folder; none is a formula or begins blank."""
    start = os.path.relpath(files.folder, folder)
    for path in files.paths.tolist():
        name = path.decode() if start == "." else f"{start}/{path.decode()}"
        is_plain = name_cell(name) == name == name.lstrip()
        yield name if is_plain else f"./{name}"


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


def _groups(files: PhotoFiles) -> dict[str, list[str]]:
    """Returns the columns of `GROUP_COLUMNS` that are known of a photo, as text."""
    found = {}
    for name, unknown in NO_GROUPS._asdict().items():
        values = files.rows[name].tolist()
        texts = [v.decode() if isinstance(v, bytes) else v for v in values]
        if any(value != unknown for value in texts):
            found[name] = ["" if v == unknown else str(v) for v in texts]
    return found


def _heading_and_time(files: PhotoFiles, row: int) -> tuple[str, str]:
    stored = files.rows[row]
    heading, timestamp = stored["heading_deg"], stored["timestamp"].decode()
    if heading == UNKNOWN_HEADING_DEG:
        return "", timestamp
    return np.format_float_positional(heading, trim="-"), timestamp  # exact float32
