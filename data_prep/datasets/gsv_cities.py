"""GSV-Cities: places with several photos each, for training."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from data_prep.datasets.description import NO_ADDRESS, DatasetDescription
from data_prep.datasets.photo_list import LAT_LON, Adapter, PhotoList
from data_prep.datasets.source_files import csv_rows
from data_prep.errors import DataPrepError
from vpr_tf.config import ReadingConfig

_COLUMNS = (*LAT_LON, "heading_deg", "timestamp", "place_id", "city")
_TABLE = (
    *("place_id", "year", "month", "northdeg", "city_id", "lat", "lon", "panoid"),
)
_PLACES_A_CITY = 100_000


def _find(source: Path, _reading: ReadingConfig) -> Iterator[PhotoList]:
    tables = sorted((source / "Dataframes").glob("*.csv"))
    if tables:
        rows = (
            row for number, table in enumerate(tables) for row in _city(table, number)
        )
        folders = [f"Images/{table.stem}" for table in tables]
        there = [folder for folder in folders if (source / folder).is_dir()]
        yield PhotoList("train", _COLUMNS, rows, there)


def _city(table: Path, number: int) -> Iterator[tuple[str, ...]]:
    """Yields the photos of a city; place ids of cities do not meet."""
    for line, row in enumerate(csv_rows(table, _TABLE), 2):
        try:
            place, year, month, heading = (
                int(row[name]) for name in ("place_id", "year", "month", "northdeg")
            )
        except ValueError as error:
            raise DataPrepError(
                f"{table}, row {line}: {error}. Get the file again."
            ) from error
        city = row["city_id"]
        if not 0 <= place < _PLACES_A_CITY:
            raise DataPrepError(
                f"{table}, row {line}: place_id must be in [0, {_PLACES_A_CITY:,}), "
                f"without the offset of the city. Received: {place}. Get the file "
                "again."
            )
        name = "_".join(
            (
                *(city, f"{place:07d}", f"{year:04d}", f"{month:02d}"),
                *(f"{heading:03d}", row["lat"], row["lon"], row["panoid"]),
            )
        )
        yield (
            f"Images/{city}/{name}.jpg",
            *(row["lat"], row["lon"], str(heading), f"{year:04d}{month:02d}"),
            *(str(place + _PLACES_A_CITY * number), city),
        )


ADAPTERS = (
    Adapter(
        DatasetDescription(
            name="gsv_cities",
            title="GSV-Cities, places with several photos each, for training",
            layout="Dataframes/<City>.csv and Images/<City>/*.jpg",
            access=f"from the authors; {NO_ADDRESS}",
            licence="CC BY-NC-ND 4.0",
            counts={"train": None},
            protocols=(
                "for training: with `build.partition.method: place_ids` each place is "
                "a class, and `train.photos_per_class: 4` makes batches of P places "
                "with 4 photos each, as the authors train "
                "(configs/gsv_cities_multi_similarity.yaml)",
            ),
            notes=(
                "Cities are numbered in the order of their names; a place id is that "
                "of the file + 100,000 x the number of its city.",
                "Places with fewer than 4 photos are listed as well.",
            ),
        ),
        _find,
    ),
)
