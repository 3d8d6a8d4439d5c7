"""Nordland, AmsterTime and SPED: pairs and frames without positions.

Their photos get made-up metres on a line, so that the distance of 25 m says what the
protocol counts by frames or pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path

from data_prep.datasets.description import NO_ADDRESS, DatasetDescription
from data_prep.datasets.photo_list import LOCAL, Adapter, PhotoList
from data_prep.datasets.source_files import first_existing, photos_in, text_lines
from data_prep.errors import DataPrepError
from vpr_tf.config import ReadingConfig

_PAIR_DISTANCE_M = 1000
_ROLES = ("database", "queries")


def frame_position_m(frame: int, num_frames: int) -> Decimal:
    """Returns where a frame stands, so that 25 m are `num_frames` frames."""
    return frame * Decimal(25) / (num_frames + Decimal("0.5"))


# === Frames ===


def _nordland(source: Path, _reading: ReadingConfig) -> Iterator[PhotoList]:
    chosen = _clean_names(source)
    for role, season in zip(_ROLES, ("summer", "winter"), strict=True):
        folder = first_existing(source, (season, f"{season}/{season}"))
        if folder is not None:
            yield _frames(source, f"test-{role}", folder, chosen)


def _clean_names(source: Path) -> list[str] | None:
    """Returns the names of the 27,592 frames, if the list of them is there."""
    file = source / "cleanImageNames.txt"
    return text_lines(file) if file.exists() else None


def _frames(
    source: Path, split: str, folder: str, chosen: Sequence[str] | None
) -> PhotoList:
    paths, left_out = _in_order(source, folder), list[tuple[str, str]]()
    if chosen is not None:
        there, wanted = {Path(path).name: path for path in paths}, frozenset(chosen)
        left_out += [
            (path, "not in cleanImageNames.txt")
            for path in paths
            if Path(path).name not in wanted
        ]
        # A frame that is not there keeps its number, and is told as missing.
        paths = [there.get(name, f"{folder}/{name}") for name in chosen]
    rows = (
        (path, "0", f"{frame_position_m(frame, 10):.2f}")
        for frame, path in enumerate(paths)
    )
    return PhotoList(split, LOCAL, rows, left_out=left_out)


def _in_order(source: Path, folder: str) -> list[str]:
    """Returns the photos of a folder by their names: 2.jpg comes before 10.jpg."""
    paths = list(photos_in(source, folder))
    stems = [Path(path).stem for path in paths]
    if all(stem.isascii() and stem.isdigit() for stem in stems):
        paths.sort(key=lambda path: (Path(path).parent, int(Path(path).stem)))
    return paths


def _nordland_2760(source: Path, _reading: ReadingConfig) -> Iterator[PhotoList]:
    for role, name, step in zip(_ROLES, ("ref", "query"), (1, 10), strict=True):
        if (source / name).is_dir():
            yield _every_frame(source, f"test-{role}", name, step)


def _every_frame(source: Path, split: str, folder: str, step: int) -> PhotoList:
    rows = (
        (path, "0", f"{frame_position_m(step * number, 1):.2f}")
        for number, path in enumerate(_in_order(source, folder))
    )
    return PhotoList(split, LOCAL, rows)


# === Pairs ===


def _pairs(database: str, queries: str) -> Callable[..., Iterator[PhotoList]]:
    def find(source: Path, _reading: ReadingConfig) -> Iterator[PhotoList]:
        for role, name in zip(_ROLES, (database, queries), strict=True):
            folder = first_existing(source, (name, f"SPEDTEST/{name}"))
            if folder is not None:
                rows = _numbered(source, folder)
                yield PhotoList(f"test-{role}", LOCAL, rows)

    return find


def _numbered(source: Path, folder: str) -> Iterator[tuple[str, str, str]]:
    """Yields the photos of pairs, which have the number of their pair as a name."""
    for path in photos_in(source, folder):
        number = Path(path).stem
        if not (number.isascii() and number.isdigit() and len(number) <= 6):
            raise DataPrepError(
                f"{source / path} must be named by the number of its pair, such as "
                "12.jpg. Remove it, or get the dataset again."
            )
        yield path, "0", str(int(number) * _PAIR_DISTANCE_M)


_NORDLAND = (
    "Suenderhauf et al., Are We There Yet? Challenging SeqSLAM on a 3000 km Journey "
    "Across All Four Seasons, ICRA workshop 2013"
)
_LOCAL_NOTE = (
    "Positions are made up: recall can be measured, latitude and longitude not."
)

ADAPTERS = (
    Adapter(
        DatasetDescription(
            name="nordland",
            title="Nordland, winter to summer, 27,592 frames",
            layout=(
                "summer/ (database) and winter/ (queries), frames in the order of "
                "their names\nor numbers; cleanImageNames.txt, if there, says which "
                "frames count, and their order"
            ),
            access=f"since March 2026 offered by rsync; {NO_ADDRESS}",
            counts={"test-database": 27592, "test-queries": 27592},
            protocols=("within 10 frames, as 25 m on a grid of 25 / 10.5 m a frame",),
            citation=_NORDLAND,
            notes=(_LOCAL_NOTE,),
        ),
        _nordland,
    ),
    Adapter(
        DatasetDescription(
            name="nordland_2760",
            title="Nordland, summer to winter, 2,760 queries",
            layout=(
                "ref/ (winter, database) and query/ (summer), in the order of their "
                "names\nor numbers"
            ),
            access=f"since March 2026 offered by rsync; {NO_ADDRESS}",
            counts={"test-database": 27592, "test-queries": 2760},
            protocols=(
                "query j matches the database frames 10 j - 1 to 10 j + 1, as 25 m on "
                "a grid of 25 / 1.5 m a frame",
            ),
            citation=_NORDLAND,
            notes=(_LOCAL_NOTE, "The list of positives (.npy) is not read."),
        ),
        _nordland_2760,
    ),
    Adapter(
        DatasetDescription(
            name="amstertime",
            title="AmsterTime, historical and modern photos of Amsterdam",
            layout="new/*.png (database) and old/*.jpg (queries), named by their pair",
            access=f"from the authors; {NO_ADDRESS}",
            counts={"test-database": 1231, "test-queries": 1231},
            protocols=(
                "the other photo of the pair, as 25 m where pair i stands at 1,000 i m",
                "the authors' own task is leave-one-out, which is not measured",
            ),
            citation=(
                "Yildiz et al., AmsterTime: A Visual Place Recognition Benchmark "
                "Dataset for Severe Domain Shift, arXiv:2203.16291"
            ),
            notes=(_LOCAL_NOTE,),
        ),
        _pairs("new", "old"),
    ),
    Adapter(
        DatasetDescription(
            name="sped",
            title="SPED, 607 pairs",
            layout="ref/ (database) and query/, or both in SPEDTEST/, named by pair",
            access=f"from the authors; {NO_ADDRESS}",
            counts={"test-database": 607, "test-queries": 607},
            protocols=(
                "the other photo of the pair, as 25 m where pair i stands at 1,000 i m",
            ),
            notes=(_LOCAL_NOTE,),
        ),
        _pairs("ref", "query"),
    ),
)
