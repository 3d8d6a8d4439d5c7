"""Metadata of photos as memory-mapped columns."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vpr_tf.geo import LOCAL_ZONE, UNKNOWN_HEADING_DEG
from vpr_tf.photos import PhotoTable
from vpr_tf.photos.schema import TABLE_COLUMNS
from vpr_tf.place_index.layout import misfit
from vpr_tf.printable import printable
from vpr_tf.stored_files import read_npy

_KEYS_PER_BLOCK = 1 << 17
_ZONES = 60
_FARTHEST_CM = 10**11  # a million kilometres; grids of countries begin far from 0


def write_photos(folder: Path, photos: PhotoTable) -> None:
    """Writes one `.npy` file a column."""
    folder.mkdir()
    for name, values in _columns(photos).items():
        np.save(folder / f"{name}.npy", values, allow_pickle=False)


def photo_files() -> list[str]:
    """Names the files that `write_photos` writes."""
    return [f"{name}.npy" for name in TABLE_COLUMNS]


def read_photos(folder: Path, num_rows: int) -> PhotoTable:
    """Memory-maps what `write_photos` wrote, every type, shape and value checked.

    Raises:
        IndexMismatchError: A column is none, or holds what no photo can have.
    """
    columns = {
        name: read_column(folder / f"{name}.npy", dtype, num_rows)
        for name, dtype in TABLE_COLUMNS.items()
    }
    photos = PhotoTable.from_columns(columns)
    for name, is_possible in _possible(photos).items():
        rows = np.flatnonzero(~is_possible)
        if len(rows):
            value = columns[name][rows[0]]
            path = folder / f"{name}.npy"
            raise misfit(path, f"row {rows[0]} is {str(value)[:80]!a}")
    for name in ("key", "timestamp"):
        _check_text(folder / f"{name}.npy", columns[name])
    return photos


def read_column(
    path: Path, dtype: str, num_rows: int, *, mapped: bool = True
) -> np.ndarray:
    """Reads an array of one value a row.

    Args:
        path: The file.
        dtype: Its type; text may be of any width.
        num_rows: Its length.
        mapped: See `read_npy`.

    Raises:
        IndexMismatchError: It holds anything else.
    """
    try:
        values = read_npy(path, mapped=mapped)
    except ValueError as error:
        raise misfit(path, error) from error
    declared = np.dtype(dtype)
    is_text = declared.kind == values.dtype.kind == "S"
    if values.shape != (num_rows,) or not (is_text or values.dtype == declared):
        raise misfit(
            path,
            f"it must hold {num_rows} values of the type {declared} and holds "
            f"{values.dtype} of shape {values.shape}",
        )
    return values


def _possible(photos: PhotoTable) -> dict[str, np.ndarray]:
    """Returns which rows of each column a photo can have, by the column's name."""
    places = photos.positions
    zone, on_earth = places.utm_zone, places.utm_zone != LOCAL_ZONE
    limits_deg = {"latitude_deg": 90.0, "longitude_deg": 180.0}
    possible = {"utm_zone": (zone >= -_ZONES) & (zone <= _ZONES)}
    for name, limit in limits_deg.items():
        degrees = getattr(places, name)
        unknown = np.isnan(degrees) | (degrees == 0)
        possible[name] = np.where(on_earth, np.abs(degrees) <= limit, unknown)
    for name in ("utm_east_cm", "utm_north_cm"):
        centimetres = getattr(places, name)
        possible[name] = (centimetres >= -_FARTHEST_CM) & (centimetres <= _FARTHEST_CM)
    heading = photos.heading_deg
    known = (heading >= 0) & (heading <= 360)
    possible["heading_deg"] = known | (heading == UNKNOWN_HEADING_DEG)
    possible["key"] = photos.keys != b""
    return possible


def _check_text(path: Path, values: np.ndarray) -> None:
    try:
        b"\n".join(values.tolist()).decode()
    except UnicodeDecodeError as error:
        raise misfit(path, f"a text is no UTF-8: {error}") from error


def empty_photos() -> PhotoTable:
    """Returns a table without photos."""
    return PhotoTable.from_columns(
        {name: np.empty(0, dtype) for name, dtype in TABLE_COLUMNS.items()}
    )


def _columns(photos: PhotoTable) -> dict[str, np.ndarray]:
    values = photos.columns()
    columns = {}
    for name, dtype in TABLE_COLUMNS.items():
        columns[name] = np.asarray(values[name], dtype)
        if columns[name].shape != (len(photos),):
            raise ValueError(
                f"`photos` must have one {name} a photo, {len(photos)}. Received: "
                f"shape {columns[name].shape}"
            )
    return columns


def check_keys(photos: PhotoTable) -> None:
    """Checks that keys can name photos.

    Raises:
        ValueError: A key is empty, repeated, or no UTF-8.
    """
    keys = np.asarray(photos.keys, "S")
    names, first, counts = np.unique(keys, return_index=True, return_counts=True)
    if (counts > 1).any():
        repeated = [printable(name) for name in names[counts > 1][:5]]
        raise ValueError(
            "`photos` must have unique keys. Received more than once: "
            f"{', '.join(repeated)} ({int((counts > 1).sum())} in all)."
        )
    if len(keys) and not names[0]:
        raise ValueError(
            f"`photos` must have keys. Received: an empty one, photo {first[0]}."
        )
    for name in names:
        try:
            name.decode()
        except UnicodeDecodeError as error:
            raise ValueError(
                f"Keys of photos must be UTF-8. Received: {name!r}"
            ) from error


def find_rows(keys: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Finds photos by key.

    Args:
        keys: Of the photos, bytes.
        wanted: Unique keys, sorted.

    Returns:
        Rows of `keys`, and which of `wanted` each of them has.
    """
    rows, found = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for start in range(0, len(keys) if len(wanted) else 0, _KEYS_PER_BLOCK):
        block = np.asarray(keys[start : start + _KEYS_PER_BLOCK])
        place = np.searchsorted(wanted, block).clip(max=len(wanted) - 1)
        equal = np.flatnonzero(wanted[place] == block)
        rows.append(equal + start)
        found.append(place[equal])
    return np.concatenate(rows), np.concatenate(found)


def is_older(timestamps: np.ndarray, time: bytes) -> np.ndarray:
    """Whether photos were taken before a time for certain.

    A year alone is before a month of a later year, not of the same.

    Args:
        timestamps: As `PhotoTable.timestamps`.
        time: Likewise, not empty.
    """
    lengths = np.char.str_len(timestamps)
    older = np.zeros(len(timestamps), bool)
    for length in np.unique(lengths[lengths > 0]):
        common = min(int(length), len(time))
        rows = np.flatnonzero(lengths == length)
        older[rows] = timestamps[rows].astype(f"S{common}") < time[:common]
    return older
