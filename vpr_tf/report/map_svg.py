"""A city map as path data of an SVG; `templates/map.html.j2` draws it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from vpr_tf.report.city_map import WIDTH, CityMap, QueriesOnMap
from vpr_tf.report.query_states import RIGHT, UNJUDGED, WITHHELD, WRONG

_MOST_NAMED = 1500  # queries of a state that tell their name when pointed at
_FEW_PHOTOS = 2000  # their dots are larger


@dataclass(frozen=True)
class Marks:
    """Path data of some queries.

    Attributes:
        dots: Where they were taken.
        lines: From there to their localizations; empty unless wrong.
        ends: The ends of the lines.
        is_hollow: Whether the dots are rings.
    """

    dots: str
    lines: str = ""
    ends: str = ""
    is_hollow: bool = False


@dataclass(frozen=True)
class Layer:
    """The queries of one state.

    Attributes:
        num_queries: How many.
        named: Name and marks of each, as far as they are named.
        rest: Marks of those without name; None without any.
        sample: Marks for the legend, in a box of 24 times 12.
    """

    num_queries: int
    named: list[tuple[str, Marks]]
    rest: Marks | None
    sample: Marks


@dataclass(frozen=True)
class DrawnMap:
    """What the template of a map shows; lengths are units of the SVG.

    Attributes:
        width: Of the map.
        height: Of the map.
        metres_per_unit: The scale.
        num_queries: Queries on the map.
        photos: Path data of the database photos.
        num_photos: How many they are.
        has_few_photos: Whether their dots may be large.
        layers: By state, in the order of drawing.
        scale_percent: Length of the scale bar in percent of the width.
        scale_text: Its length on the ground.
    """

    width: float
    height: float
    metres_per_unit: float
    num_queries: int
    photos: str
    num_photos: int
    has_few_photos: bool
    layers: dict[str, Layer]
    scale_percent: float
    scale_text: str


def drawn_map(city: CityMap, queries: QueriesOnMap) -> DrawnMap:
    """Returns a map for its template.

    Args:
        city: Where everything lies.
        queries: The queries whose rows `city` names.
    """
    width_m = WIDTH * city.metres_per_unit
    scale_m = round_length_m(width_m * 0.22)
    return DrawnMap(
        width=WIDTH,
        height=city.height,
        metres_per_unit=city.metres_per_unit,
        num_queries=len(city.rows),
        photos=_dots(city.photos),
        num_photos=city.num_photos,
        has_few_photos=len(city.photos) < _FEW_PHOTOS,
        layers={
            state: _layer(city, queries, state)
            for state in (UNJUDGED, RIGHT, WITHHELD, WRONG)
        },
        scale_percent=100 * scale_m / width_m,
        scale_text=f"{scale_m / 1000:g} km" if scale_m >= 1000 else f"{scale_m:g} m",
    )


def _layer(city: CityMap, queries: QueriesOnMap, state: str) -> Layer:
    shown = np.flatnonzero(queries.states[city.rows] == state)
    named, rest = shown[:_MOST_NAMED], shown[_MOST_NAMED:]
    is_wrong = state == WRONG
    return Layer(
        len(shown),
        [
            (queries.names[city.rows[i]], _marks(city, np.array([i]), state))
            for i in named
        ],
        _marks(city, rest, state) if len(rest) else None,
        Marks(
            "M7 6h0",
            "M7 6L21 6" if is_wrong else "",
            "M21 6h0" if is_wrong else "",
            state == WITHHELD,
        ),
    )


def _marks(city: CityMap, shown: np.ndarray, state: str) -> Marks:
    dots = _dots(city.places[shown])
    if state != WRONG:
        return Marks(dots, is_hollow=state == WITHHELD)
    localized = shown[np.isfinite(city.localizations[shown, 0])]
    ends = city.localizations[localized]
    lines = "".join(
        f"M{_point(place)}L{_point(end)}"
        for place, end in zip(city.places[localized], ends, strict=True)
    )
    return Marks(dots, lines, _dots(ends))


def _dots(points: np.ndarray) -> str:
    """Returns path data of lines of no length: round ends make them dots."""
    return "".join(f"M{_point(point)}h0" for point in points)


def _point(point: np.ndarray) -> str:
    # Far localizations lie far outside; the frame cuts their lines.
    x, y = np.clip(point, -1e6, 1e6)
    return f"{x:.1f} {y:.1f}".replace(".0", "")


def round_length_m(metres: float) -> float:
    """Returns the largest 1, 2 or 5 times a power of ten up to `metres`."""
    power = 10 ** math.floor(math.log10(metres))
    return next(float(n * power) for n in (5, 2, 1) if n * power <= metres)
