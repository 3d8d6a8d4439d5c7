"""A CSV table of images: path and position, heading and time if known.

Columns: `path` (relative to the folder of the table), then `latitude` and `longitude`
or `utm_east`, `utm_north` and `zone` (signed number, or number and letter as in 10S);
`heading_deg` and `timestamp` are optional. Rows keep their order.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from vpr_tf.geo import parse_zone
from vpr_tf.photos.errors import InvalidEntryError, PhotoSourceError
from vpr_tf.photos.metadata import (
    parse_centimetres,
    parse_degrees_e7,
    parse_heading_deg,
    parse_timestamp,
)
from vpr_tf.photos.schema import ImageMetadata

_LAT_LON = ("latitude", "longitude")
_UTM = ("utm_east", "utm_north", "zone")
_SOUTHERN_LIMIT_E7 = -80 * 10**7
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
                yield json.dumps(entry), _file_size(table.parent / path)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise PhotoSourceError(f"Cannot read the table {table}: {error}.") from error


def parse_csv_entry(text: str) -> dict[str, Any]:
    """Returns the `line`, `path` and columns of one row of `walk_csv_table`."""
    row: dict[str, Any] = json.loads(text)
    return row


def parse_csv_metadata(row: dict[str, Any]) -> ImageMetadata:
    """Returns the metadata of one row.

    Raises:
        InvalidEntryError: A value is missing or malformed.
    """
    if not row["path"]:
        raise InvalidEntryError("path is empty")
    heading_deg = parse_heading_deg(row.get("heading_deg", ""))
    timestamp = parse_timestamp(row.get("timestamp", ""))
    if "utm_east" in row:
        try:
            zone = parse_zone(row["zone"])
        except ValueError as error:
            raise InvalidEntryError(str(error)) from None
        east = parse_centimetres(row["utm_east"], "utm_east")
        north = parse_centimetres(row["utm_north"], "utm_north")
        return ImageMetadata(east, north, zone, None, None, heading_deg, timestamp)
    latitude_e7 = parse_degrees_e7(row.get("latitude", ""), "latitude", 84)
    longitude_e7 = parse_degrees_e7(row.get("longitude", ""), "longitude", 180)
    if latitude_e7 is None or longitude_e7 is None:
        raise InvalidEntryError("latitude or longitude is empty")
    if latitude_e7 < _SOUTHERN_LIMIT_E7:
        raise InvalidEntryError("latitude is south of -80 degrees, the limit of UTM")
    # The UTM position is computed later, for many rows at once.
    return ImageMetadata(
        None, None, None, latitude_e7, longitude_e7, heading_deg, timestamp
    )


def _checked_columns(
    table: Path, columns: Collection[str], needs_position: bool
) -> list[str]:
    """Returns the columns that are used besides `path`."""
    optional = [name for name in _OPTIONAL if name in columns]
    if "path" in columns:
        for position in (_UTM, _LAT_LON):
            if all(name in columns for name in position):
                return [*position, *optional]
        if not needs_position:
            return optional
    raise PhotoSourceError(
        f"{table} must have the columns path and latitude, longitude or path and "
        f"utm_east, utm_north, zone. Received: {', '.join(columns) or 'no header'}"
    )


def _file_size(path: Path) -> int:
    try:
        return path.stat().st_size
    except (OSError, ValueError):
        return -1
