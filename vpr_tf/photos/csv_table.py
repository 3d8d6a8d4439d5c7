"""A CSV table of images: path and position, heading and time if known.

Columns: `path` (relative to the folder of the table), then `latitude` and `longitude`
or `utm_east`, `utm_north` and `zone` (signed number, or number and letter as in 10S);
`heading_deg` and `timestamp` are optional. Rows keep their order.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from vpr_tf.photos.errors import InvalidEntryError, PhotoSourceError
from vpr_tf.photos.metadata import (
    ReadMetadata,
    is_unknown,
    parse_degrees,
    parse_heading_deg,
    parse_timestamp,
    parse_utm,
    parse_zone,
)

_LAT_LON = ("latitude", "longitude")
_UTM = ("utm_east", "utm_north", "zone")
_NO_POSITION = "latitude and longitude or utm_east, utm_north and zone are empty"
_OTHER_LENGTH = "the row has more or fewer fields than the header"
_OPTIONAL = ("heading_deg", "timestamp")


def walk_csv_table(table: Path, needs_position: bool) -> Iterator[tuple[str, int]]:
    """Yields every row as JSON text, with the size of its image file.

    Args:
        table: CSV file.
        needs_position: False asks for the column `path` alone.

    Yields:
        `{"line": ..., "path": ..., <columns>}` and the size in bytes, -1 when the
        file cannot be read.

    Raises:
        PhotoSourceError: The table cannot be read, or a column is missing.
    """
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            columns = _checked_columns(table, reader.fieldnames or (), needs_position)
            for row in reader:
                path = row["path"] or ""
                entry = {"line": reader.line_num, "path": path}
                entry |= {name: (row[name] or "").strip() for name in columns}
                if None in row or None in row.values():
                    entry["problem"] = _OTHER_LENGTH
                yield json.dumps(entry), _file_size(table.parent / path)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise PhotoSourceError(f"Cannot read the table {table}: {error}.") from error


def parse_csv_entry(text: str) -> dict[str, Any]:
    """Returns the `line`, `path` and columns of one row of `walk_csv_table`."""
    row: dict[str, Any] = json.loads(text)
    return row


def read_csv_metadata(row: dict[str, Any], needs_position: bool) -> ReadMetadata:
    """Returns what one row says; what its fields say together is not checked.

    Raises:
        InvalidEntryError: A value is missing, malformed or cannot be.
    """
    if not row["path"]:
        raise InvalidEntryError("path is empty")
    if row.get("problem"):
        raise InvalidEntryError(row["problem"])
    utm = [row.get(name, "") for name in _UTM]
    has_utm = not all(map(is_unknown, utm))
    degrees_e7 = parse_degrees(*(row.get(name, "") for name in _LAT_LON))
    if needs_position and not has_utm and degrees_e7 is None:
        raise InvalidEntryError(_NO_POSITION)
    return ReadMetadata(
        parse_utm(utm[0], utm[1]) if has_utm else None,
        parse_zone(utm[2]) if has_utm else None,
        degrees_e7,
        parse_heading_deg(row.get("heading_deg", "")),
        parse_timestamp(row.get("timestamp", "")),
    )


def _checked_columns(
    table: Path, columns: Sequence[str], needs_position: bool
) -> list[str]:
    """Returns the columns that are used besides `path`."""
    twice = [name for name in dict.fromkeys(columns) if columns.count(name) > 1]
    if twice:
        raise PhotoSourceError(
            f"{table} names columns twice: {', '.join(twice)}. Give each its own name."
        )
    positions = [group for group in (_UTM, _LAT_LON) if set(group) <= set(columns)]
    if "path" not in columns or (needs_position and not positions):
        raise PhotoSourceError(
            f"{table} must have the columns path and latitude, longitude or path and "
            f"utm_east, utm_north, zone. Received: {', '.join(columns) or 'no header'}"
        )
    optional = [name for name in _OPTIONAL if name in columns]
    return [name for group in (*positions, optional) for name in group]


def _file_size(path: Path) -> int:
    try:
        return path.stat().st_size
    except (OSError, ValueError):
        return -1
