"""San Francisco Landmark, Eynsham, St Lucia: positions in names, lists and routes."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from pathlib import Path

from data_prep.datasets.common_convention import ConventionLayout
from data_prep.datasets.description import NO_ADDRESS, DatasetDescription
from data_prep.datasets.photo_list import LAT_LON, UTM, Adapter, PhotoList
from data_prep.datasets.source_files import first_existing, photos_in, text_lines
from data_prep.errors import DataPrepError
from vpr_tf.config import ReadingConfig

_RULE = ("25 m; queries without positives count as not found",)

# === San Francisco Landmark ===

_SF_QUERIES = "BuildingQueryImagesCartoIDCorrected-Upright"
_SF_POSES = "reference_poses_addTM_all_598.txt"
_SF_ZONE = "10S"
# PCI_sp_PANO_LATITUDE_LONGITUDE_BUILDING_TILE_CARTO_HEADING_PITCH.jpg
_SF_FIELDS = 10


def _san_francisco(source: Path, _reading: ReadingConfig) -> Iterator[PhotoList]:
    crops = sorted(
        path.name
        for path in source.iterdir()
        if path.is_dir() and re.fullmatch(r"[0-9]{8}_[0-9]{8}_[0-9]+", path.name)
    )
    if crops:
        refused: list[tuple[str, str]] = []
        yield PhotoList(
            "test-database",
            (*LAT_LON, "heading_deg"),
            _crops(source, crops, refused),
            refused=refused,
        )
    poses = first_existing(source, (_SF_POSES, f"reference_poses_598/{_SF_POSES}"))
    if poses is not None:
        yield PhotoList("test-queries", UTM, _poses(source / poses))


def _crops(
    source: Path, folders: list[str], refused: list[tuple[str, str]]
) -> Iterator[tuple[str, ...]]:
    for folder in folders:
        for path in photos_in(source, folder):
            fields = Path(path).stem.split("_")
            # A panorama's name may hold the sign between fields itself.
            if len(fields) < _SF_FIELDS:
                refused.append((path, "name has too few fields for a position"))
                continue
            latitude, longitude, _, _, _, heading, _ = fields[-7:]
            yield path, latitude, longitude, heading


def _poses(file: Path) -> Iterator[tuple[str, str, str, str]]:
    for number, line in enumerate(text_lines(file)[1:], 2):
        fields = line.split()
        if len(fields) < 8:
            raise DataPrepError(
                f"{file}, line {number}: expected a number, a name, four numbers of "
                "the direction and UTM east and north. Get the file again."
            )
        yield f"{_SF_QUERIES}/{fields[1]}.jpg", fields[6], fields[7], _SF_ZONE


# === Eynsham ===

_EYNSHAM_DATABASE = 4787  # panoramas of the first loop
_EYNSHAM_TILES = 5
_COORDINATES = re.compile(r"<coordinates>([^<]*)</coordinates>")


def _eynsham(source: Path, reading: ReadingConfig) -> Iterator[PhotoList]:
    root = "Eynsham/" if (source / "Eynsham").is_dir() else ""
    route = source / root / "Route_map" / "Eynsham.kml"
    if not route.exists():
        yield from _DATABASE_AND_QUERIES.find(source, reading)
        return
    places = _route(route)
    folder = f"{root}Images"
    # Places are counted off, so that a photo of another kind would move all after it.
    photos = [
        path for path in photos_in(source, folder) if Path(path).name[:5] == "grab_"
    ]
    before, photos = photos[:_EYNSHAM_TILES], photos[_EYNSHAM_TILES:]
    num_photos = _EYNSHAM_TILES * len(places)
    if len(photos) < num_photos:
        raise DataPrepError(
            f"{source / folder} has {len(photos):,} photos grab_* after the first "
            f"{_EYNSHAM_TILES}, and the route needs {num_photos:,}. Get what is "
            "missing. PPM files are not read: convert them to PNG under the same "
            "names, without a loss, in a folder Images that has no others."
        )
    cut = _EYNSHAM_DATABASE * _EYNSHAM_TILES
    columns = (*LAT_LON, "timestamp")
    rows = [
        (path, *places[number // _EYNSHAM_TILES], _grabbed(path))
        for number, path in enumerate(photos[:num_photos])
    ]
    left_out = [(path, "belongs to no panorama") for path in before]
    database, queries = rows[:cut], rows[cut:]
    yield PhotoList("test-database", columns, database, [folder], left_out)
    yield PhotoList("test-queries", columns, queries, [folder])


def _route(file: Path) -> list[tuple[str, str]]:
    """Returns latitude and longitude of the panoramas in order."""
    found = _COORDINATES.search("\n".join(text_lines(file)))
    if found is None:
        raise DataPrepError(f"{file} has no <coordinates>. Get the file again.")
    places = []
    for text in found[1].split()[:-1]:  # no panorama belongs to the last
        fields: list[str] = text.split(",")
        longitude, latitude = [*fields, ""][:2]
        places.append((latitude, longitude))
    return places


def _grabbed(path: str) -> str:
    """Returns when a photo was taken, from the seconds in its name."""
    match = re.search(r"grab_([0-9]{1,10})\.", path)
    if match is None:
        return ""
    when = datetime.datetime.fromtimestamp(int(match[1]), datetime.UTC)
    return when.strftime("%Y%m%d_%H%M%S")


# === All ===

_DATABASE_AND_QUERIES = ConventionLayout(
    {
        "test-database": ("test/database", "test/gallery"),
        "test-queries": ("test/queries",),
    },
    roots=("", "images"),
)

ADAPTERS = (
    Adapter(
        DatasetDescription(
            name="san_francisco",
            title="San Francisco Landmark",
            layout=(
                "the perspective crops (PCI) as unpacked, folders such as "
                "00011000_00012000_3;\n"
                f"{_SF_QUERIES}/ and {_SF_POSES}, or that in reference_poses_598/"
            ),
            access=f"from the authors; {NO_ADDRESS}",
            counts={"test-database": None, "test-queries": 598},
            protocols=_RULE,
            citation=(
                "Chen et al., City-scale landmark identification on mobile devices, "
                "CVPR 2011"
            ),
            notes=("Positions of the queries are the later reference poses.",),
        ),
        _san_francisco,
    ),
    Adapter(
        DatasetDescription(
            name="eynsham",
            title="Eynsham, two loops of 5 photos a panorama",
            layout=(
                "Route_map/Eynsham.kml and Images/grab_*, in the order of names (PPM "
                "files as PNG);\n"
                "or test/{database,queries} with positions in the names"
            ),
            access=f"since March 2026 offered by rsync; {NO_ADDRESS}",
            counts={"test-database": 23935, "test-queries": None},
            protocols=_RULE,
            citation=(
                "Cummins and Newman, Highly scalable appearance-only SLAM - FAB-MAP "
                "2.0, RSS 2009"
            ),
            notes=(
                "The first 4,787 panoramas are the database; the first 5 photos belong "
                "to none.",
            ),
        ),
        _eynsham,
    ),
    Adapter(
        DatasetDescription(
            name="st_lucia",
            title="St Lucia, first pass (database) and last pass (queries)",
            layout=(
                "test/{database,queries} (database also gallery) with positions in "
                "the names:\nframes of the videos at least 5 m apart"
            ),
            access=f"since March 2026 offered by rsync; {NO_ADDRESS}",
            counts={"test-database": None, "test-queries": None},
            protocols=_RULE,
            citation=(
                "Milford and Wyeth, Mapping a Suburb With a Single Camera Using a "
                "Biologically Inspired SLAM System, IEEE Transactions on Robotics 2008"
            ),
            notes=("Videos are not read: frames must have been taken out of them.",),
        ),
        _DATABASE_AND_QUERIES.find,
    ),
)
