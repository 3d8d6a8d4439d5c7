"""Metadata of photos as memory-mapped columns."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vpr_tf.photos import PhotoTable
from vpr_tf.photos.schema import TABLE_COLUMNS
from vpr_tf.printable import printable

_KEYS_PER_BLOCK = 1 << 17


def write_photos(folder: Path, photos: PhotoTable) -> None:
    """Writes one `.npy` file a column."""
    folder.mkdir()
    for name, values in _columns(photos).items():
        np.save(folder / f"{name}.npy", values, allow_pickle=False)


def read_photos(folder: Path) -> PhotoTable:
    """Memory-maps what `write_photos` wrote."""
    return PhotoTable.from_columns(
        {
            name: np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
            for name in TABLE_COLUMNS
        }
    )


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
