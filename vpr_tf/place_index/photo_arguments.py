"""What callers know of photos, in the forms that they have it in, as one table."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Sequence
from typing import Any, TypedDict, Unpack

import numpy as np
import numpy.typing as npt

from vpr_tf.config.rules import did_you_mean
from vpr_tf.geo import (
    UNKNOWN_HEADING_DEG,
    Positions,
    half_known,
    lat_lon_problems,
    normalized_headings,
    utm_problems,
)
from vpr_tf.photos import PhotoTable, parse_timestamp
from vpr_tf.photos.schema import TABLE_COLUMNS
from vpr_tf.search import Descriptors

Time = str | bytes | int | datetime.date | np.datetime64
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
        latitude: Degrees; NaN, as the longitude, where unknown.
        longitude: Degrees, -180 to 180.
        utm_east: Metres; with the next two instead of degrees. NaN, as north, where
            unknown.
        utm_north: Metres.
        utm_zone: 1 to 60, negative south of the equator, or 0 of local coordinates,
            whose latitude and longitude are unknown; one value may be for all.
        keys: Names, unique; numbers if left out.
        heading_deg: Degrees clockwise from north; NaN, -1 or -999 where unknown.
        timestamps: As `2019`, `2019-06-30`, `20190630_1200`, years, dates or
            `datetime64`; None where unknown.
    """

    latitude: npt.ArrayLike | None
    longitude: npt.ArrayLike | None
    utm_east: npt.ArrayLike | None
    utm_north: npt.ArrayLike | None
    utm_zone: npt.ArrayLike | None
    keys: Sequence[str] | Sequence[bytes] | np.ndarray | None
    heading_deg: npt.ArrayLike | None
    timestamps: Sequence[Time | None] | np.ndarray | None


def photo_table(
    num_photos: int,
    photos: PhotoTable | None = None,
    *,
    first_number: int = 0,
    **columns: Unpack[PhotoColumns],
) -> PhotoTable:
    """Returns a table of photos.

    Args:
        num_photos: Photos.
        photos: The table itself, if there is one; columns are for where there is none.
        first_number: Names the first photo, if they have no keys.
        **columns: See `PhotoColumns`.

    Raises:
        TypeError: A column is unknown, or given besides the table.
        ValueError: A column has another length or cannot be.
    """
    _check_names(columns, photos)
    if photos is not None:
        return photos
    keys, times = columns.get("keys"), columns.get("timestamps")
    if keys is None:
        keys = [f"{first_number + row:08d}" for row in range(num_photos)]
    if times is None:
        times = [None] * num_photos
    table = PhotoTable(
        np.array([k if isinstance(k, bytes) else str(k).encode() for k in keys], "S"),
        _positions(num_photos, columns),
        _headings(num_photos, columns.get("heading_deg")),
        _times(times),
    )
    for name in ("keys", "timestamps"):
        _check_length(name, getattr(table, name), num_photos)
    return table


def parse_time(time: Time | None) -> bytes:
    """Reads a time: `2019`, `2019-06-30`, `20190630_1200`, a year or a date.

    Args:
        time: None and what stands for it (NaN, NaT) are unknown.

    Raises:
        ValueError: Another form.
    """
    if time is None or time != time:
        return b""
    if isinstance(time, datetime.date):
        has_hours = isinstance(time, datetime.datetime)
        return time.strftime("%Y%m%d_%H%M%S" if has_hours else "%Y%m%d").encode()
    text = time.decode() if isinstance(time, bytes) else str(time)
    return parse_timestamp(text).encode()


def _check_names(columns: PhotoColumns, photos: PhotoTable | None) -> None:
    known = PhotoColumns.__annotations__
    for name in columns:
        if name not in known:
            raise TypeError(
                f"No column `{name}`{did_you_mean(name, known)} Columns are "
                f"{', '.join(known)}."
            )
    if photos is not None and columns:
        raise TypeError(
            "`photos` says all of the photos, so no column may be given besides. "
            f"Received: {', '.join(columns)}"
        )


def _times(times: Iterable[Time | None]) -> np.ndarray:
    found = []
    for row, time in enumerate(times):
        try:
            found.append(parse_time(time))
        except ValueError as error:
            raise ValueError(f"`timestamps`, photo {row}: {error}") from None
    return np.array(found, "S")


def _numbers(name: str, values: npt.ArrayLike) -> np.ndarray:
    try:
        return np.asarray(values, np.float64)
    except (TypeError, ValueError):
        hint = "; 10S is zone 10, and 33K is -33" if name == "utm_zone" else ""
        raise ValueError(
            f"`{name}` must be numbers, with a point{hint}. Received: {values!r:.200}"
        ) from None


def next_number(keys: Iterable[bytes]) -> int:
    """Returns the first number above those that name photos already."""
    return max((int(key) + 1 for key in keys if key.isdigit()), default=0)


def _positions(num_photos: int, columns: PhotoColumns) -> Positions:
    given: dict[str, Any] = {
        name: value
        for name in (*_DEGREES, *_METRES)
        if (value := columns.get(name)) is not None
    }
    if given and tuple(given) not in (_DEGREES, _METRES):
        raise ValueError(
            "Positions must be `latitude` and `longitude`, or `utm_east`, `utm_north` "
            f"and `utm_zone`. Received: {', '.join(given)}"
        )
    values: list[np.ndarray] = [_numbers(*item) for item in given.items()]
    if "utm_zone" in given:
        _check_zones(values[2])
        values[2] = np.broadcast_to(values[2], values[0].shape)
    known = np.full(num_photos, bool(given))
    for name, column in zip(given, values, strict=True):
        _check_length(name, column, num_photos)
        known &= ~np.isnan(column)
    in_utm = "utm_zone" in given
    if given:
        _refuse(_half_known(values) if in_utm else lat_lon_problems(*values))
    positions = _filled(known, [column[known] for column in values])
    if in_utm:
        _check_utm(positions)
    return positions


def _half_known(columns: list[np.ndarray]) -> dict[int, str]:
    """Returns what is missing of positions in UTM; their zone may be that of all."""
    missing = np.isnan(np.stack(columns))
    half = missing.any(axis=0) & ~missing[:2].all(axis=0)
    return {
        row: half_known({n: c[row] for n, c in zip(_METRES, columns, strict=True)})
        for row in np.flatnonzero(half).tolist()
    }


def _check_zones(zones: np.ndarray) -> None:
    known = zones[~np.isnan(zones)]
    wrong = known[(known != np.rint(known)) | ~(abs(known) <= 60)]
    if wrong.size:
        raise ValueError(
            "`utm_zone` must be a whole number from 1 to 60, negative in the south, or "
            "0 for local coordinates. "
            f"Received: {wrong[:3].tolist()}"
        )


def _check_utm(positions: Positions) -> None:
    """Refuses positions that cannot be, and 0, 0."""
    positions.refuse_mixture()
    rows = np.flatnonzero(positions.known & ~positions.is_local)
    problems = utm_problems(positions.take(rows), [""] * len(rows))
    _refuse({int(rows[at]): why for at, why in problems.items()})


def _refuse(problems: dict[int, str]) -> None:
    if problems:
        row = min(problems)
        raise ValueError(
            f"Photo {row}: {problems[row]}. NaN stands for unknown positions."
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
    headings = _numbers("heading_deg", heading_deg)
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
