"""Pitts30k, Pitts250k and Tokyo 24/7, whose positions are in MATLAB files."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from data_prep.datasets.description import NO_ADDRESS, DatasetDescription
from data_prep.datasets.matlab import PlacedNames, read_db_struct
from data_prep.datasets.photo_list import LAT_LON, UTM, Adapter, PhotoList
from data_prep.datasets.source_files import first_existing, photos_in
from data_prep.errors import DataPrepError
from vpr_tf.config import ReadingConfig

_ON_REQUEST = f"from the authors on request; {NO_ADDRESS}"
_PITTS_ZONE, _TOKYO_ZONE = "17T", "54S"
_TOKYO_QUERIES = "247query_subset_v2"


def _pittsburgh(
    name: str, source: Path, _reading: ReadingConfig
) -> Iterator[PhotoList]:
    for part in ("train", "val", "test"):
        file = _mat_file(source, f"{name}_{part}.mat")
        if file is None:
            continue
        database, queries = read_db_struct(source / file)
        yield PhotoList(f"{part}-database", UTM, _rows(database, "", _PITTS_ZONE))
        yield PhotoList(
            f"{part}-queries", UTM, _rows(queries, "queries_real/", _PITTS_ZONE)
        )


def _mat_file(source: Path, name: str) -> str | None:
    return first_existing(source, (name, f"datasets/{name}"))


def _rows(placed: PlacedNames, prefix: str, zone: str) -> Iterator[tuple[str, ...]]:
    for name, position in zip(placed.names, placed.positions, strict=True):
        yield (f"{prefix}{name}", *position, zone)


def _tokyo(source: Path, _reading: ReadingConfig) -> Iterator[PhotoList]:
    file = _mat_file(source, "tokyo247.mat")
    if file is not None:
        database, _ = read_db_struct(source / file)
        # The list says .jpg, the tiles are handed out as PNG.
        names = [f"{Path(name).with_suffix('.png')}" for name in database.names]
        tops = {name.partition("/")[0] for name in names}
        is_inside = any((source / "tokyo247" / top).is_dir() for top in tops)
        folder = "tokyo247/" if is_inside else ""
        placed = PlacedNames(names, database.positions)
        yield PhotoList("test-database", UTM, _rows(placed, folder, _TOKYO_ZONE))
    queries = first_existing(source, (_TOKYO_QUERIES, f"tokyo247/{_TOKYO_QUERIES}"))
    if queries is not None:
        rows = _tokyo_queries(source, queries)
        yield PhotoList("test-queries", LAT_LON, rows)


def _tokyo_queries(source: Path, folder: str) -> Iterator[tuple[str, str, str]]:
    """Yields the queries; beside each photo lies a CSV file with its position."""
    for path in photos_in(source, folder):
        table = (source / path).with_suffix(".csv")
        try:
            with table.open(encoding="utf-8-sig") as file:
                fields = file.readline(4096).strip().split(",")
        except (OSError, UnicodeDecodeError) as error:
            raise DataPrepError(
                f"{table}, the position of {path}, cannot be read: {error}. Unpack "
                f"{_TOKYO_QUERIES}.zip again."
            ) from error
        # A comma instead of a dot in the name makes one more field of it.
        if len(fields) > 1 and fields[1].strip().lower() in ("jpg", "jpeg"):
            del fields[1]
        latitude, longitude = [*fields, "", ""][1:3]
        yield path, latitude, longitude


def _description(
    name: str, title: str, counts: dict[str, int | None]
) -> DatasetDescription:
    return DatasetDescription(
        name=name,
        title=title,
        layout=(
            f"{name}_{{train,val,test}}.mat, or in datasets/; the photos as unpacked\n"
            "(000/, 001/, ...), queries in queries_real/"
        ),
        access=_ON_REQUEST,
        counts=counts,
        protocols=("25 m; queries without positives count as not found",),
        citation=(
            "Torii et al., Visual Place Recognition with Repetitive Structures, "
            "TPAMI 2015"
        ),
        notes=("Headings are not stated: names hold yaw and pitch of a tile only.",),
    )


ADAPTERS = (
    Adapter(
        _description(
            "pitts30k",
            "Pitts30k, a part of Pitts250k",
            {
                "train-database": None,
                "train-queries": None,
                "val-database": 10000,
                "val-queries": 7608,
                "test-database": 10000,
                "test-queries": 6816,
            },
        ),
        partial(_pittsburgh, "pitts30k"),
    ),
    Adapter(
        _description(
            "pitts250k",
            "Pitts250k, Pittsburgh",
            {
                "train-database": None,
                "train-queries": None,
                "val-database": None,
                "val-queries": None,
                "test-database": None,
                "test-queries": 8280,
            },
        ),
        partial(_pittsburgh, "pitts250k"),
    ),
    Adapter(
        DatasetDescription(
            name="tokyo247",
            title="Tokyo 24/7",
            layout=(
                "tokyo247.mat, or in datasets/; the PNG tiles as unpacked (03814/, "
                "...) or in tokyo247/\n"
                f"{_TOKYO_QUERIES}/ with a CSV file of the position beside each photo"
            ),
            access=f"the database from the authors on request; {NO_ADDRESS}",
            counts={"test-database": 75984, "test-queries": 315},
            protocols=(
                "25 m; queries without positives count as not found; queries with a "
                "shorter side of 480 pixels",
            ),
            citation="Torii et al., 24/7 Place Recognition by View Synthesis, TPAMI",
            notes=("Headings of the tiles are not stated: names hold an angle only.",),
        ),
        _tokyo,
    ),
)
