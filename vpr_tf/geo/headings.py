"""Headings: degrees clockwise from north, their marks of unknown, and angles."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from vpr_tf.geo.earth import UNKNOWN_HEADING_DEG, wrap_degrees

# What programs write where no heading was measured; -1 is that of this one.
_MARKS_OF_UNKNOWN = (UNKNOWN_HEADING_DEG, -999.0, -9999.0)
_LOWEST_DEG, _TURN_DEG = -180.0, 360.0
_BELOW_TURN = math.nextafter(_TURN_DEG, 0.0)
HEADING_RULE = (
    "0 to 360, or -180 to 180, degrees clockwise from north; empty, NaN, -1 or -999 "
    "where it is unknown"
)
# One heading in all of fewer photos says nothing.
_FEWEST_PHOTOS = 3


def normalized_headings(degrees: npt.ArrayLike) -> np.ndarray:
    """Returns headings as float64 in [0, 360], `UNKNOWN_HEADING_DEG` where unknown.

    360 itself is kept: whether it is 0 is for the partition to say.

    Args:
        degrees: From -180 to 360; NaN, -1, -999 and -9999 are unknown.

    Raises:
        ValueError: A heading is beyond that.
    """
    given = np.asarray(degrees, np.float64)
    known = ~np.isnan(given) & ~np.isin(given, _MARKS_OF_UNKNOWN)
    beyond = known & ~((given >= _LOWEST_DEG) & (given <= _TURN_DEG))
    if beyond.any():
        raise ValueError(
            f"A heading must be {HEADING_RULE}. Received: {given[beyond][:3].tolist()}"
        )
    turned = np.minimum(np.where(known, given, 0.0) % _TURN_DEG, _BELOW_TURN)
    turned = np.where(given == _TURN_DEG, given, turned)
    return np.where(known, turned, UNKNOWN_HEADING_DEG)


def heading_differences_deg(a: npt.ArrayLike, b: npt.ArrayLike) -> np.ndarray:
    """Returns the angle between headings, 0 to 180 degrees; NaN where one is unknown.

    Args:
        a: Degrees clockwise from north; negative where unknown.
        b: Likewise; the shapes broadcast.
    """
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return np.where((a < 0) | (b < 0), np.nan, np.abs(wrap_degrees(a - b)))


def bearings_deg(from_m: np.ndarray, to_m: np.ndarray) -> np.ndarray:
    """Returns the direction from points to others, degrees clockwise from north.

    Args:
        from_m: Metres east and north, `(..., 2)`.
        to_m: Likewise; the shapes broadcast.

    Returns:
        Float64 of at least 0 and less than 360; 0 between equal points.
    """
    east_m, north_m = np.moveaxis(np.asarray(to_m) - np.asarray(from_m), -1, 0)
    bearings = np.degrees(np.arctan2(east_m, north_m)) % 360
    return np.where(bearings == 360, 0.0, bearings)  # of the smallest negative ones


def constant_heading_text(lowest_deg: float, highest_deg: float, count: int) -> str:
    """Returns a remark when all known headings are one, as if none was measured.

    Args:
        lowest_deg: Of the known headings.
        highest_deg: Of the known headings.
        count: How many are known.
    """
    if count < _FEWEST_PHOTOS or lowest_deg != highest_deg:
        return ""
    return (
        f"all {count:,} headings are {lowest_deg:g}, so probably none was measured; "
        "leave them empty where they are unknown"
    )
