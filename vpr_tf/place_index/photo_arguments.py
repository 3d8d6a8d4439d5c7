"""What callers know of photos, in the forms that they have it in, as one table."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Sequence
from typing import Any, TypedDict, Unpack

import numpy as np
import numpy.typing as npt

from vpr_tf.geo import (
    UNKNOWN_HEADING_DEG,
    Positions,
    is_zero,
    lat_lon_problem,
    normalized_headings,
    utm_problems,
)
from vpr_tf.photos import PhotoTable, parse_timestamp
from vpr_tf.photos.schema import TABLE_COLUMNS
from vpr_tf.search import Descriptors

_DEGREES, _METRES = ("latitude", "longitude"), ("utm_east", "utm_north", "utm_zone")


def as_descriptors(values: Descriptors | npt.ArrayLike) -> Descriptors:
    """Returns a matrix that can be stored: of float32 or float16, or read in parts."""
    if isinstance(getattr(values, "dtype", None), np.dtype):
        matrix: Any = values
    else:
        matrix = np.asarray(values)
    if isinstance(matrix, np.ndarray) and matrix.dtype not in (np.float32, np.float16):
        matrix = matrix.astype(np.float32)
    return matrix


class PhotoColumns(TypedDict, total=False):
    """What is known of photos, one value a photo; what is left out is not known.

    Attributes:
        latitude: Degrees; NaN where unknown.
        longitude: Degrees.
        utm_east: Metres; with the next two instead of degrees. NaN where unknown.
        utm_north: Metres.
        utm_zone: 1 to 60, negative south of the equator, or 0 of local coordinates,
            whose latitude and longitude are unknown; one value may be for all.
        keys: Names, unique; numbers if left out.
        heading_deg: Degrees clockwise from north; NaN, -1 or -999 where unknown.
        timestamps: As `2019`, `2019-06-30`, `20190630_1200` or dates; None where
            unknown.
    """

    latitude: npt.ArrayLike | None
    longitude: npt.ArrayLike | None
    utm_east: npt.ArrayLike | None
    utm_north: npt.ArrayLike | None
    utm_zone: npt.ArrayLike | None
    keys: Sequence[str] | Sequence[bytes] | np.ndarray | None
    heading_deg: npt.ArrayLike | None
    timestamps: Sequence[str | bytes | datetime.date | None] | np.ndarray | None


def photo_table(
    num_photos: int, *, first_number: int = 0, **columns: Unpack[PhotoColumns]
) -> PhotoTable:
    """Returns a table of photos.

    Args:
        num_photos: Photos.
        first_number: Names the first photo, if they have no keys.
        **columns: See `PhotoColumns`.

    Raises:
        ValueError: A column has another length or cannot be.
    """
    keys, times = columns.get("keys"), columns.get("timestamps")
    if keys is None:
        keys = [f"{first_number + row:08d}" for row in range(num_photos)]
    if times is None:
        times = [None] * num_photos
    photos = PhotoTable(
        np.array([k if isinstance(k, bytes) else str(k).encode() for k in keys], "S"),
        _positions(num_photos, columns),
        _headings(num_photos, columns.get("heading_deg")),
        np.array([parse_time(time) for time in times], "S"),
    )
    for name in ("keys", "timestamps"):
        _check_length(name, getattr(photos, name), num_photos)
    return photos


def parse_time(time: str | bytes | datetime.date | None) -> bytes:
    """Reads a time: `2019`, `2019-06-30`, `20190630_1200` or a date; None is unknown.

    Raises:
        ValueError: Another form.
    """
    if time is None:
        return b""
    if isinstance(time, datetime.date):
        has_hours = isinstance(time, datetime.datetime)
        return time.strftime("%Y%m%d_%H%M%S" if has_hours else "%Y%m%d").encode()
    text = time.decode() if isinstance(time, bytes) else time
    return parse_timestamp(text).encode()


def next_number(keys: Iterable[bytes]) -> int:
    """Returns the first number above those that name photos already."""
    return max((int(key) + 1 for key in keys if key.isdigit()), default=0)


def _positions(num_photos: int, columns: PhotoColumns) -> Positions:
    given = {
        name: value
        for name in (*_DEGREES, *_METRES)
        if (value := columns.get(name)) is not None
    }
    if given and tuple(given) not in (_DEGREES, _METRES):
        raise ValueError(
            "Positions must be `latitude` and `longitude`, or `utm_east`, `utm_north` "
            f"and `utm_zone`. Received: {', '.join(given)}"
        )
    values: list[np.ndarray] = [np.asarray(v, np.float64) for v in given.values()]
    if "utm_zone" in given:
        _check_zones(values[2])
        values[2] = np.broadcast_to(values[2], values[0].shape)
    known = np.full(num_photos, bool(given))
    for name, column in zip(given, values, strict=True):
        _check_length(name, column, num_photos)
        known &= ~np.isnan(column)
    positions = _filled(known, [column[known] for column in values])
    _check_positions(positions, "utm_zone" in given)
    return positions


def _check_zones(zones: np.ndarray) -> None:
    known = zones[~np.isnan(zones)]
    wrong = known[(known != np.rint(known)) | ~(abs(known) <= 60)]
    if wrong.size:
        raise ValueError(
            "`utm_zone` must be a whole number from 1 to 60, negative in the south, or "
            "0 for local coordinates. "
            f"Received: {wrong[:3].tolist()}"
        )


def _check_positions(positions: Positions, in_utm: bool) -> None:
    """Refuses positions that cannot be, and 0, 0."""
    positions.refuse_mixture()
    rows = np.flatnonzero(positions.known & ~positions.is_local)
    known = positions.take(rows)
    problems = utm_problems(known, [""] * len(rows)) if in_utm else {}
    for row in np.flatnonzero(
        is_zero(known.latitude_deg, known.longitude_deg)
    ).tolist():
        degrees = known.latitude_deg[row], known.longitude_deg[row]
        problems[row] = lat_lon_problem(*map(float, degrees))
    if problems:
        row = min(problems)
        raise ValueError(
            f"Photo {rows[row]}: {problems[row]}. NaN stands for unknown positions."
        )


def _filled(known: np.ndarray, columns: list[np.ndarray]) -> Positions:
    """Returns positions of which only some are known, in degrees or in UTM."""
    make = Positions.from_lat_lon if len(columns) == 2 else Positions.from_utm
    found = make(*columns) if known.any() else None
    filled = {}
    for field in dataclasses.fields(Positions):
        # All are 0 where the position is unknown: `geo.UNKNOWN_ZONE` says that it is.
        filled[field.name] = np.zeros(len(known), TABLE_COLUMNS[field.name])
        if found is not None:
            filled[field.name][known] = getattr(found, field.name)
    return Positions(**filled)


def _headings(num_photos: int, heading_deg: npt.ArrayLike | None) -> np.ndarray:
    if heading_deg is None:
        return np.full(num_photos, UNKNOWN_HEADING_DEG, np.float32)
    headings = np.asarray(heading_deg, np.float64)
    _check_length("heading_deg", headings, num_photos)
    try:
        return normalized_headings(headings).astype(np.float32)
    except ValueError as error:
        raise ValueError(f"`heading_deg`: {error}") from None


def _check_length(name: str, values: np.ndarray, num_photos: int) -> None:
    if values.shape != (num_photos,):
        raise ValueError(
            f"`{name}` must have one value a photo, {num_photos}. Received: shape "
            f"{values.shape}"
        )
