"""Mapillary Street-Level Sequences: positions in CSV files, one set of them a city."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from data_prep.datasets.description import NO_ADDRESS, DatasetDescription
from data_prep.datasets.photo_list import LAT_LON, Adapter, PhotoList
from data_prep.datasets.source_files import csv_rows
from data_prep.errors import DataPrepError
from vpr_tf.config import ReadingConfig

_VAL_CITIES = ("cph", "sf")
_COLUMNS = (
    *(*LAT_LON, "heading_deg", "timestamp"),
    *("city", "night", "view_direction", "sequence", "frame"),
)
_RAW = ("key", "lon", "lat", "ca", "captured_at", "pano")
_FOLDERS = {"database": "database", "queries": "query"}
_TEST_COLUMNS = ("path", "city", "sequence", "frame")
_OF_SEQUENCE = ("sequence_key", "sequence_id", "frame_number")


def _find(source: Path, _reading: ReadingConfig) -> Iterator[PhotoList]:
    root = "train_val" if (source / "train_val").is_dir() else ""
    cities = sorted(
        path.parent.parent.name for path in (source / root).glob("*/query/raw.csv")
    )
    for part in ("train", "val"):
        own = [city for city in cities if (city in _VAL_CITIES) == (part == "val")]
        if own:
            for role in _FOLDERS:
                yield _pooled(source, root, own, part, role)
    val = [city for city in cities if city in _VAL_CITIES]
    if val:
        yield _pooled(source, root, val, "val", "queries", subtask="all")
    test = sorted(
        path.parent.parent.name for path in source.glob("test/*/query/seq_info.csv")
    )
    if test:
        for role in _FOLDERS:
            yield _challenge(source, test, role)


def _pooled(
    source: Path,
    root: str,
    cities: list[str],
    part: str,
    role: str,
    subtask: str | None = None,
) -> PhotoList:
    """Returns the photos of several cities, without panoramas.

    Args:
        source: The source folder.
        root: Where the cities lie in it.
        cities: Their names.
        part: `train` or `val`.
        role: `database` or `queries`.
        subtask: Only photos of this one of the official subtasks.
    """
    folders = [f"{root}/{city}/{_FOLDERS[role]}".strip("/") for city in cities]
    left_out: list[tuple[str, str]] = []
    name = f"{part}-{role}" if subtask is None else f"{part}-{role}_subtask_{subtask}"

    def rows() -> Iterator[tuple[str, ...]]:
        for city, folder in zip(cities, folders, strict=True):
            for path, values, why_not in _photos(source / folder, subtask):
                where = f"{folder}/images/{path}"
                if why_not:
                    left_out.append((where, why_not))
                else:
                    yield (where, *values[:4], city, *values[4:])

    extra_in = [] if subtask else [f"{folder}/images" for folder in folders]
    return PhotoList(name, _COLUMNS, rows(), extra_in, left_out)


def _challenge(source: Path, cities: list[str], role: str) -> PhotoList:
    """Returns the photos of the challenge, of which nothing but the sequence is known.

    Args:
        source: The source folder.
        cities: Those of `test/`.
        role: `database` or `queries`.
    """
    left_out: list[tuple[str, str]] = []

    def rows() -> Iterator[tuple[str, ...]]:
        for city in cities:
            folder = f"test/{city}/{_FOLDERS[role]}"
            file = source / folder / "seq_info.csv"
            found = list(csv_rows(file, ("key",), _OF_SEQUENCE))
            chosen = _of_subtask(file, "all", [row["key"] for row in found])
            for row in found:
                path = f"{folder}/images/{row['key']}.jpg"
                if chosen[row["key"]]:
                    yield path, city, *_in_sequence(row)
                else:
                    left_out.append((path, "not in the subtask all"))

    folders = [f"test/{city}/{_FOLDERS[role]}/images" for city in cities]
    return PhotoList(f"test-{role}", _TEST_COLUMNS, rows(), folders, left_out)


def _in_sequence(row: dict[str, str]) -> tuple[str, str]:
    """Returns the key of a photo's sequence, and its number there."""
    key, number, frame = (row[name] for name in _OF_SEQUENCE)
    return key or number, frame


def _photos(
    folder: Path, subtask: str | None
) -> Iterator[tuple[str, tuple[str, ...], str]]:
    """Yields file, values and the reason not to take a photo, empty for most."""
    raw = list(csv_rows(folder / "raw.csv", _RAW))
    keys = [row["key"] for row in raw]
    more = ("night", "view_direction")
    processed = _joined(folder / "postprocessed.csv", keys, more)
    sequences = _joined(folder / "seq_info.csv", keys, _OF_SEQUENCE)
    chosen = {}
    if subtask is not None:
        chosen = _of_subtask(folder / "raw.csv", subtask, keys)
    for row, key in zip(raw, keys, strict=True):
        why_not = "panorama" if row["pano"].lower() == "true" else ""
        if subtask is not None and not chosen[key]:
            why_not = f"not in the subtask {subtask}"
        of_sequence = dict(zip(_OF_SEQUENCE, sequences[key], strict=True))
        beside = (*processed[key], *_in_sequence(of_sequence))
        place = (row["lat"], row["lon"], row["ca"], row["captured_at"])
        yield f"{key}.jpg", (*place, *beside), why_not


def _joined(
    file: Path, keys: list[str], columns: tuple[str, ...]
) -> dict[str, tuple[str, ...]]:
    """Returns columns of another table of the same photos by their keys.

    Raises:
        DataPrepError: It lists other photos.
    """
    found = {
        row["key"]: tuple(row[name] for name in columns)
        for row in csv_rows(file, ("key",), columns)
    }
    if found.keys() != set(keys):
        raise DataPrepError(
            f"{file} and raw.csv beside it list different photos: "
            f"{len(found):,} and {len(set(keys)):,}. Get both again."
        )
    return found


def _of_subtask(photos: Path, subtask: str, keys: list[str]) -> dict[str, bool]:
    """Returns whether each photo is of a subtask.

    Args:
        photos: The table beside that of the subtasks which names the photos.
        subtask: Its name.
        keys: The photos, in the order of their table.

    Raises:
        DataPrepError: The table has no such subtask, or lists other photos.
    """
    file = photos.with_name("subtask_index.csv")
    rows = list(csv_rows(file, (subtask,), ("key",)))
    # Without keys the rows are in the order of the photos.
    own = [row["key"] or key for row, key in zip(rows, keys, strict=False)]
    if len(rows) != len(keys) or set(own) != set(keys):
        raise DataPrepError(
            f"{file} and {photos.name} beside it list different photos: "
            f"{len(rows):,} and {len(keys):,}. Get both again."
        )
    chosen = (row[subtask].lower() == "true" for row in rows)
    return dict(zip(own, chosen, strict=True))


ADAPTERS = (
    Adapter(
        DatasetDescription(
            name="msls",
            title="Mapillary Street-Level Sequences",
            layout=(
                "train_val/<city>/{database,query}/ with raw.csv, postprocessed.csv,\n"
                "seq_info.csv, subtask_index.csv and images/<key>.jpg; of the\n"
                "challenge test/<city>/... without the first two"
            ),
            access=f"from Mapillary, after registration; {NO_ADDRESS}",
            licence="academic research",
            counts={
                "train-database": None,
                "train-queries": None,
                "val-database": 18871,
                "val-queries": None,
                "val-queries_subtask_all": 747,
                "test-database": None,
                "test-queries": None,
            },
            protocols=(
                "msls_val_740: the 747 queries of the subtask `all`; those without "
                "positives are dropped, which leaves 740",
                "msls_val_all: both cities pooled, panoramas dropped, about 11,000 "
                "queries",
                "msls_challenge: the test cities, whose ground truth the authors keep; "
                "`vpr evaluate` writes the file for them",
            ),
            citation=(
                "Warburg et al., Mapillary Street-Level Sequences: A Dataset for "
                "Lifelong Place Recognition, CVPR 2020"
            ),
            notes=(
                "Panoramas are left out; of the test cities they are not told.",
                "configs/datasets/msls_challenge.yaml builds the challenge.",
                "The protocols differ by 2 to 5 points of R@1: state which one.",
                "msls_val_*.npy are not read: their positives are pickled objects.",
            ),
        ),
        _find,
    ),
)
