"""Which positions are possible, and whether UTM and degrees say the same place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from vpr_tf.geo.positions import Positions, great_circle_m
from vpr_tf.geo.utm import NORTHERN_LIMIT_DEG, SOUTHERN_LIMIT_DEG, utm_zones

_EASTINGS_M = (100_000.0, 1_000_000.0)
_BANDS = "CDEFGHJKLMNPQRSTUVWX"
_BAND_DEG = 8.0
# A city on the border of two bands, or on the equator, may be given in one of them.
_BORDER_DEG = 1.0
# A mix-up is named when without it this share of the distance is left at most.
_MENDED = 0.02
_FARTHEST_M = 2e7  # half way around the earth; of UTM numbers that are no place
# Nobody takes photos this near to 0, 0; it stands for a position that is not known.
_NEAR_ZERO_DEG = 1e-3


def is_zero(latitude_deg: np.ndarray, longitude_deg: np.ndarray) -> np.ndarray:
    """Whether positions are 0, 0, which is written where none is known."""
    near = np.abs(latitude_deg) < _NEAR_ZERO_DEG
    return near & (np.abs(longitude_deg) < _NEAR_ZERO_DEG)


def lat_lon_problem(latitude_deg: float, longitude_deg: float) -> str:
    """Returns why a position cannot be, empty if it can; not finite values cannot."""
    latitude, longitude = f"latitude {latitude_deg:.7g}", f"longitude {longitude_deg:g}"
    if not SOUTHERN_LIMIT_DEG <= latitude_deg <= NORTHERN_LIMIT_DEG:
        swapped = abs(latitude_deg) > 90 and abs(longitude_deg) <= 90
        hint = ". Are latitude and longitude swapped?" if swapped else ""
        return f"{latitude} is outside -80 to 84 degrees, the limits of UTM{hint}"
    if not abs(longitude_deg) <= 180:
        return f"{longitude} is beyond 180 degrees"
    if is_zero(np.array(latitude_deg), np.array(longitude_deg)):
        return (
            "latitude and longitude are 0, 0, which is written where a position is "
            "unknown"
        )
    return ""


def lat_lon_problems(
    latitude_deg: np.ndarray, longitude_deg: np.ndarray
) -> dict[int, str]:
    """Returns why positions cannot be, by their rows.

    Args:
        latitude_deg: Float64 `(num_positions,)`; NaN, as the other, where unknown.
        longitude_deg: Same shape.
    """
    known = ~(np.isnan(latitude_deg) & np.isnan(longitude_deg))
    fits = (latitude_deg >= SOUTHERN_LIMIT_DEG) & (latitude_deg <= NORTHERN_LIMIT_DEG)
    fits &= (np.abs(longitude_deg) <= 180) & ~is_zero(latitude_deg, longitude_deg)
    found = {}
    for row in np.flatnonzero(known & ~fits).tolist():
        pair = float(latitude_deg[row]), float(longitude_deg[row])
        half = half_known({"latitude": pair[0], "longitude": pair[1]})
        found[row] = half or lat_lon_problem(*pair)
    return found


def half_known(values: Mapping[str, float]) -> str:
    """Says which of the numbers of one position are missing, if only some are."""
    missing = [name for name, value in values.items() if np.isnan(value)]
    if not missing or len(missing) == len(values):
        return ""
    rest = ", ".join(name for name in values if name not in missing)
    return f"{', '.join(missing)} unknown (NaN) and {rest} not"


def utm_problems(positions: Positions, bands: Sequence[str]) -> dict[int, str]:
    """Returns why positions cannot be, by their rows.

    Args:
        positions: Of known zone; their degrees are those of their UTM numbers.
        bands: Letter of each, C to X; empty where only the hemisphere is known. N is
            read as the northern hemisphere, which it is part of.
    """
    low, high = np.array(
        [
            _latitudes(band, zone)
            for band, zone in zip(bands, positions.utm_zone.tolist(), strict=True)
        ]
    ).T.reshape(2, -1)
    east_m = positions.utm_east_cm / 100
    fits = (east_m >= _EASTINGS_M[0]) & (east_m < _EASTINGS_M[1])
    latitude = positions.latitude_deg
    fits &= (latitude >= low) & (latitude <= high)
    fits &= ~is_zero(latitude, positions.longitude_deg)
    return {
        row: _utm_problem(positions.take(np.array([row])), bands[row])
        for row in np.flatnonzero(~fits).tolist()
    }


def contradictions(
    utm: Positions,
    latitude_deg: np.ndarray,
    longitude_deg: np.ndarray,
    largest_m: float,
) -> dict[int, str]:
    """Returns how far UTM and degrees of the same photos are apart, where too far.

    Args:
        utm: Of known zone; their degrees are those of their UTM numbers.
        latitude_deg: As it was given besides, float64; NaN where it was not.
        longitude_deg: Likewise.
        largest_m: Farther apart is too far.

    Returns:
        A text by row that names the fields, the distance and what may be mixed up.
    """
    apart_m = great_circle_m(
        utm.latitude_deg, utm.longitude_deg, latitude_deg, longitude_deg
    )
    given = ~np.isnan(latitude_deg) & ~np.isnan(longitude_deg)
    found = {}
    for row in np.flatnonzero(given & ~(apart_m <= largest_m)).tolist():
        one = utm.take(np.array([row]))
        degrees = float(latitude_deg[row]), float(longitude_deg[row])
        found[row] = (
            "utm_east, utm_north, zone and latitude, longitude contradict each other: "
            f"they are {_distance(float(apart_m[row]))} apart (more than "
            f"{largest_m:g} m){_mix_up(one, *degrees, float(apart_m[row]))}"
        )
    return found


def _latitudes(band: str, zone: int) -> tuple[float, float]:
    """Returns where a position of a band, else of a hemisphere, may lie."""
    if band in ("", "N"):
        low, high = (0.0, NORTHERN_LIMIT_DEG) if zone > 0 else (SOUTHERN_LIMIT_DEG, 0.0)
    else:
        low = SOUTHERN_LIMIT_DEG + _BAND_DEG * _BANDS.index(band)
        high = NORTHERN_LIMIT_DEG if band == "X" else low + _BAND_DEG
    return (
        max(low - _BORDER_DEG, SOUTHERN_LIMIT_DEG),
        min(high + _BORDER_DEG, NORTHERN_LIMIT_DEG),
    )


def _utm_problem(position: Positions, band: str) -> str:
    east_m, north_m = (position.utm_cm[0] / 100).tolist()
    zone = int(position.utm_zone[0])
    low_m, high_m = _EASTINGS_M
    if not low_m <= east_m < high_m:
        swapped = low_m <= north_m < high_m
        hint = ". Are utm_east and utm_north swapped?" if swapped else ""
        return (
            f"utm_east {east_m:.2f} is impossible: it lies between {low_m:,.0f} and "
            f"{high_m:,.0f} m in every zone{hint}"
        )
    degrees = position.latitude_deg, position.longitude_deg
    if is_zero(*degrees)[0]:
        why = lat_lon_problem(*(float(value[0]) for value in degrees))
        return f"utm {east_m:.2f}, {north_m:.2f} in zone {zone}: {why}"
    side = "north" if zone > 0 else "south"
    text = f"utm_north {north_m:.2f} is latitude {position.latitude_deg[0]:.1f} in "
    if band in ("", "N"):
        return f"{text}the {side}, which is outside the {side} of UTM"
    low, high = _latitudes(band, zone)
    return (
        f"{text}the {side}, which does not fit band {band} (latitude "
        f"{low + _BORDER_DEG:g} to {high - _BORDER_DEG:g}): band letter or hemisphere?"
        f"{_other_hemisphere(east_m, north_m, zone)}"
    )


def _other_hemisphere(east_m: float, north_m: float, zone: int) -> str:
    other = Positions.from_utm([east_m], [north_m], [-zone])
    low, high = _latitudes("", -zone)
    latitude = float(other.latitude_deg[0])
    if not low <= latitude <= high:
        return ""
    band = _BANDS[min(int((latitude - SOUTHERN_LIMIT_DEG) // _BAND_DEG), 19)]
    side = "southern" if zone > 0 else "northern"
    return f" In the {side} hemisphere it is zone {-zone} or {abs(zone)}{band}"


def _mix_up(
    utm: Positions, latitude_deg: float, longitude_deg: float, apart_m: float
) -> str:
    """Names the first change that brings the two together."""
    for changed, degrees, what in _guesses(utm, latitude_deg, longitude_deg):
        left_m = great_circle_m(changed.latitude_deg, changed.longitude_deg, *degrees)
        if left_m[0] <= _MENDED * np.nan_to_num(apart_m, nan=_FARTHEST_M):
            return f". They agree to {_distance(float(left_m[0]))} if {what}"
    return ""


def _guesses(
    utm: Positions, latitude_deg: float, longitude_deg: float
) -> Iterator[tuple[Positions, tuple[float, float], str]]:
    """Yields what may have been meant: the position, the degrees, what was mixed up."""
    given = latitude_deg, longitude_deg
    yield utm, (longitude_deg, latitude_deg), "latitude and longitude are swapped"
    yield utm, (latitude_deg, -longitude_deg), "longitude has the other sign"
    yield utm, (-latitude_deg, longitude_deg), "latitude has the other sign"
    east_m, north_m = utm.utm_east_cm / 100, utm.utm_north_cm / 100
    zone = int(utm.utm_zone[0])
    own = int(utm_zones(latitude_deg, longitude_deg))
    swapped = Positions.from_utm(north_m, east_m, [zone])
    yield swapped, given, "utm_east and utm_north are swapped"
    if own == -zone:
        text = f"the zone is {-zone}: band letter or hemisphere?"
        yield Positions.from_utm(east_m, north_m, [-zone]), given, text
    elif own != zone:
        for other in (own, -own):
            text = f"the zone is {other} instead of {zone}"
            yield Positions.from_utm(east_m, north_m, [other]), given, text


def _distance(metres: float) -> str:
    if np.isnan(metres):
        return "very far"
    return f"{metres / 1000:,.0f} km" if metres >= 10_000 else f"{metres:,.0f} m"
