"""Datasets of any kind, mapped by CSV tables: drives as of KITTI, Mapillary exports."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from data_prep.datasets.description import DatasetDescription
from data_prep.datasets.photo_list import Adapter, PhotoList
from vpr_tf.config import ReadingConfig
from vpr_tf.photos.csv_table import parse_csv_entry, walk_csv_table
from vpr_tf.photos.metadata import LOCAL, is_unknown

_COLUMNS = (
    *("path", "latitude", "longitude", "utm_east", "utm_north", "zone"),
    *("heading_deg", "timestamp", "place_id", "sequence", "frame"),
)


def _find(source: Path, reading: ReadingConfig) -> Iterator[PhotoList]:
    for table in sorted(source.glob("*.csv")):
        if table.stem == "train" or table.stem.endswith(("-database", "-queries")):
            refused: list[tuple[str, str]] = []
            rows = _rows(table, source, reading, refused)
            yield PhotoList(table.stem, _COLUMNS, rows, refused=refused)


def _rows(
    table: Path, source: Path, reading: ReadingConfig, refused: list[tuple[str, str]]
) -> Iterator[tuple[str, ...]]:
    """Yields the rows of a table under the usual names of columns."""
    for text, _ in walk_csv_table(table, source, True, reading):
        entry = parse_csv_entry(text)
        if "problem" in entry:
            refused.append((entry["path"], f"line {entry['line']}: {entry['problem']}"))
            continue
        metres = (entry.get(name, "") for name in ("utm_east", "utm_north"))
        if not all(map(is_unknown, metres)):
            if reading.zone == LOCAL:  # of the two positions the metres are taken
                entry |= {"zone": LOCAL, "latitude": "", "longitude": ""}
            elif is_unknown(entry.get("zone", "")):
                entry["zone"] = reading.zone or ""
        yield tuple(str(entry.get(name, "")) for name in _COLUMNS)


ADAPTERS = (
    Adapter(
        DatasetDescription(
            name="tables",
            title="any photos that CSV tables map: drives, exports of Mapillary",
            layout=(
                "train.csv, NAME-database.csv, NAME-queries.csv, with the columns\n"
                "path and latitude, longitude or utm_east, utm_north, zone or x_m, y_m"
            ),
            access="your own photos",
            licence="your own",
            counts={"train": None, "test-database": None, "test-queries": None},
            notes=(
                "Other names of columns: --columns; paths are relative to the source.",
            ),
        ),
        _find,
    ),
)
