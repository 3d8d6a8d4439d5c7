"""A CSV table of images: path and position, heading and time if known.

Columns: `path` (relative to `ReadingConfig.folder`, else to the folder of the table),
then `latitude` and `longitude` or `utm_east`, `utm_north` and `zone` (signed number, or
number and letter as in 10S); `heading_deg` and `timestamp` are optional, and so are
`place_id`, `sequence` and `frame`, which say what photos belong together. `x_m` and
`y_m` are metres from an origin that is not known, local coordinates. Other names that
are usual are known, see `_KNOWN_AS`; still others are named by `ReadingConfig.columns`.
Rows keep their order. `flags` and what copies are copies of are as `vpr photos check`
writes them.
"""

from __future__ import annotations

import contextlib
import csv
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from vpr_tf.config import ReadingConfig
from vpr_tf.photos.errors import InvalidEntryError, PhotoSourceError
from vpr_tf.photos.metadata import (
    LOCAL,
    ReadMetadata,
    is_unknown,
    parse_degrees,
    parse_utm,
    parse_zone,
    with_heading_and_time,
)
from vpr_tf.photos.text_encoding import encoding_text

# Names of columns as cameras, mapping programs and other tools write them, in small
# letters, with "_" for blanks and without the unit "_deg".
_KNOWN_AS = {
    "path": "path file filename file_name file_path filepath image image_path img "
    "img_path image_name",
    "latitude": "latitude lat gps_latitude gpslatitude gps_lat",
    "longitude": "longitude lon lng long gps_longitude gpslongitude gps_lon",
    "utm_east": "utm_east east easting utm_easting utm_e x_m",
    "utm_north": "utm_north north northing utm_northing utm_n y_m",
    "zone": "zone utm_zone",
    "heading_deg": "heading yaw azimuth bearing compass compass_angle direction",
    "timestamp": "timestamp time datetime date_time date taken captured_at",
    "place_id": "place_id",
    "sequence": "sequence",
    "frame": "frame",
    "flags": "flags",
    "duplicate_of": "duplicate_of",
    "near_duplicate_of": "near_duplicate_of",
}
_FIELD_OF = {
    name: field for field, names in _KNOWN_AS.items() for name in names.split()
}
_LAT_LON = ("latitude", "longitude")
_UTM = ("utm_east", "utm_north", "zone")
_GROUPS = ("place_id", "sequence", "frame")
_OPTIONAL = (
    *("heading_deg", "timestamp", *_GROUPS, "flags"),
    *("duplicate_of", "near_duplicate_of"),
)
_DELIMITERS = (",", ";", "\t", "|")
_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]+,[0-9]+")
_NO_POSITION = "latitude and longitude or utm_east, utm_north and zone are empty"
_LOCAL_AND_DEGREES = (
    "local metres and latitude, longitude are two positions: take the metres by "
    "`--zone local` (`build.reading.zone`), or leave the columns of one of them out"
)
_OTHER_LENGTH = "the row has more or fewer fields than the header"


def walk_csv_table(
    table: Path, folder: Path, needs_position: bool, reading: ReadingConfig
) -> Iterator[tuple[str, int]]:
    """Yields every row as JSON text, with the size of its image file.

    Args:
        table: CSV file, in UTF-8.
        folder: What its paths are relative to.
        needs_position: False asks for the column `path` alone.
        reading: The delimiter and the names of columns.

    Yields:
        `{"line": ..., "path": ..., <columns>}` and the size in bytes, -1 when the
        file cannot be read.

    Raises:
        PhotoSourceError: The table cannot be read, or a column is missing.
    """
    with _opened(table, reading) as (reader, header, delimiter):
        columns = _columns(table, header, needs_position, reading)
        is_local = _is_local(header, columns)
        for row in reader:
            if row:
                entry: dict[str, Any] = {"line": reader.line_num}
                for field, place in columns.items():
                    entry[field] = _value(row, place, delimiter)
                if is_local:
                    entry |= _local_zone(entry.get("zone", ""))
                if len(row) != len(header):
                    entry["problem"] = _OTHER_LENGTH
                yield json.dumps(entry), _file_size(folder / entry["path"])


def csv_column_names(table: Path, reading: ReadingConfig) -> list[str]:
    """Returns the names of all columns of a table.

    Raises:
        PhotoSourceError: The table cannot be read.
    """
    with _opened(table, reading) as (_, header, _):
        return [name.strip() for name in header]


@contextlib.contextmanager
def _opened(
    table: Path, reading: ReadingConfig
) -> Iterator[tuple[Any, list[str], str]]:
    """Opens a table; gives the reader of its rows, its header and its delimiter."""
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            delimiter = reading.delimiter or _delimiter_of(table, file)
            reader = csv.reader(file, delimiter=delimiter)
            yield reader, next(reader, []), delimiter
    except UnicodeDecodeError as error:
        raise PhotoSourceError(encoding_text(table)) from error
    except (OSError, csv.Error) as error:
        raise PhotoSourceError(f"Cannot read the table {table}: {error}.") from error


def _delimiter_of(table: Path, file: IO[str]) -> str:
    """Returns the delimiter that the header has most of, a comma if it has none."""
    header = file.readline()
    file.seek(0)
    if "\0" in header:
        raise PhotoSourceError(encoding_text(table))
    return max(_DELIMITERS, key=header.count)


def _value(row: Sequence[str], place: int, delimiter: str) -> str:
    text = row[place].strip() if place < len(row) else ""
    if delimiter != "," and _DECIMAL_COMMA.fullmatch(text):
        return text.replace(",", ".")
    return text


def _columns(
    table: Path, header: Sequence[str], needs_position: bool, reading: ReadingConfig
) -> dict[str, int]:
    """Returns the columns that are used by their fields; `path` is the first."""
    names = [name.strip() for name in header]
    twice = [name for name in dict.fromkeys(names) if name and names.count(name) > 1]
    if twice:
        raise PhotoSourceError(
            f"{table} names columns twice: {', '.join(twice)}. Give each its own name."
        )
    found = {}
    for field in _KNOWN_AS:
        name = _name_of(table, field, names, reading)
        if name is not None:
            found[field] = names.index(name)
    is_local = _is_local(header, found)
    _check_local(table, header, found, reading)
    has_zone = reading.zone is not None or is_local
    positions = [
        group
        for group in (_UTM, _LAT_LON)
        if set(group) <= found.keys() | ({"zone"} if has_zone else set())
    ]
    if "path" not in found or (needs_position and not positions):
        raise PhotoSourceError(
            f"{table} must have the columns path and latitude, longitude or path and "
            f"utm_east, utm_north, zone. Received: {', '.join(names) or 'no header'}. "
            "Other names are given by `build.reading.columns` or --columns."
        )
    used = ["path", *(name for group in (*positions, _OPTIONAL) for name in group)]
    return {field: found[field] for field in used if field in found}


def _is_local(header: Sequence[str], columns: dict[str, int]) -> bool:
    """Whether metres are from a local origin, as the name of their column says."""
    places = (columns[field] for field in _UTM[:2] if field in columns)
    return any(_plain(header[place].strip()) in ("x_m", "y_m") for place in places)


def _check_local(
    table: Path, header: Sequence[str], columns: dict[str, int], reading: ReadingConfig
) -> None:
    """Refuses local metres beside UTM metres, or with a zone of UTM.

    Raises:
        PhotoSourceError: The columns or `build.reading.zone` say both.
    """
    if not _is_local(header, columns) or reading.zone == LOCAL:
        return
    names = [header[columns[field]].strip() for field in _UTM[:2] if field in columns]
    if len(names) == 2 and [_plain(name) for name in names] != ["x_m", "y_m"]:
        raise PhotoSourceError(
            f"{table} has the columns {names[0]} and {names[1]}, one in local metres "
            "and one in UTM. Name both utm_east, utm_north or both x_m, y_m."
        )
    if reading.zone is not None:
        raise PhotoSourceError(
            f"{table} has local metres, {' and '.join(names)}, which have no zone "
            f"{reading.zone}. Rename them utm_east and utm_north if they are of UTM, "
            "or leave --zone (`build.reading.zone`) out."
        )


def _local_zone(zone: str) -> dict[str, str]:
    """Returns the zone of local metres, and the problem when a row says another."""
    if is_unknown(zone) or zone.lower() == LOCAL:
        return {"zone": LOCAL}
    problem = (
        f"zone is {zone} and x_m, y_m are local metres: name the columns utm_east and "
        "utm_north if they are of UTM, else leave the zone out"
    )
    return {"zone": LOCAL, "problem": problem}


def _name_of(
    table: Path, field: str, names: Sequence[str], reading: ReadingConfig
) -> str | None:
    """Returns the column of a field: the one that is named, or a usual name."""
    if field in reading.columns:
        name = reading.columns[field]
        if name not in names:
            raise PhotoSourceError(
                f"{table} has no column {name!r}, which should be {field}. It has "
                f"{', '.join(names) or 'no header'}."
            )
        return name
    taken = set(reading.columns.values())
    found = [
        name
        for name in names
        if name not in taken and _FIELD_OF.get(_plain(name)) == field
    ]
    if len(found) > 1:
        raise PhotoSourceError(
            f"{table} has several columns that may be {field}: {', '.join(found)}. "
            f"Choose by `build.reading.columns: {{{field}: {found[0]}}}` or --columns "
            f"{field}={found[0]}."
        )
    return found[0] if found else None


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", "_", name.lower()).removesuffix("_deg")


def parse_csv_entry(text: str) -> dict[str, Any]:
    """Returns the `line`, `path` and columns of one row of `walk_csv_table`."""
    row: dict[str, Any] = json.loads(text)
    return row


def read_csv_metadata(
    row: dict[str, Any], needs_position: bool, reading: ReadingConfig
) -> ReadMetadata:
    """Returns what one row says; what its fields say together is not checked.

    Raises:
        InvalidEntryError: A value is missing, malformed or cannot be.
    """
    if not row["path"]:
        raise InvalidEntryError("path is empty")
    if row.get("problem"):
        raise InvalidEntryError(row["problem"])
    utm = [row.get(name, "") for name in _UTM]
    has_utm = not all(map(is_unknown, utm[:2]))
    zone = reading.zone if reading.zone and is_unknown(utm[2]) else utm[2]
    if has_utm and reading.zone == LOCAL:
        zone, degrees_e7 = LOCAL, None
    else:
        degrees_e7 = parse_degrees(*(row.get(name, "") for name in _LAT_LON))
    if has_utm and zone.strip().lower() == LOCAL and degrees_e7 is not None:
        raise InvalidEntryError(_LOCAL_AND_DEGREES)
    if needs_position and not has_utm and degrees_e7 is None:
        raise InvalidEntryError(_NO_POSITION)
    position = ReadMetadata(
        parse_utm(utm[0], utm[1]) if has_utm else None,
        parse_zone(zone) if has_utm else None,
        degrees_e7,
    )
    place_id, sequence, frame = (row.get(name, "") for name in _GROUPS)
    return with_heading_and_time(
        position,
        row.get("heading_deg", ""),
        row.get("timestamp", ""),
        (place_id, sequence, frame),
    )


def _file_size(path: Path) -> int:
    try:
        return path.stat().st_size
    except (OSError, ValueError):
        return -1
