"""A city map as inline SVG: readable by itself, moved and zoomed by page.js."""

from __future__ import annotations

import math
from html import escape

import numpy as np

from vpr_tf.report.city_map import (
    RIGHT,
    UNJUDGED,
    WIDTH,
    WITHHELD,
    WRONG,
    AnsweredQueries,
    CityMap,
)

_MOST_NAMED = 1500  # queries that tell their name when pointed at
_FEW_PHOTOS = 2000  # their dots are larger
_LEGEND = (
    (RIGHT, "answered within {threshold:g} m"),
    (WRONG, "answered farther away; the line ends at the answer"),
    (WITHHELD, "answer withheld: not sure enough"),
    (UNJUDGED, "answered; the true place is unknown"),
)


def draw_map(city: CityMap, queries: AnsweredQueries, threshold_m: float) -> str:
    """Returns a `<figure>` with the map, its scale and its legend.

    Args:
        city: Where everything lies.
        queries: The queries whose rows `city` names.
        threshold_m: Largest error of a right answer, for the legend.
    """
    states = queries.states[city.rows]
    few = " few" if len(city.photos) < _FEW_PHOTOS else ""
    layers = [f'<path class="photos{few}" d="{_dots(city.photos)}"/>']
    for state in (UNJUDGED, RIGHT, WITHHELD, WRONG):
        layers.append(_layer(city, queries, states, state))
    size = f"{WIDTH:g} {city.height:g}"
    label = f"Map of {len(city.rows):,} queries and {city.num_photos:,} database photos"
    return f"""<figure class="map">
<div class="frame">
<svg viewBox="0 0 {size}" role="img" aria-label="{label}" \
data-metres="{city.metres_per_unit:.6g}" tabindex="0">
<g class="world">
{chr(10).join(layers)}
</g>
</svg>
{_scale_bar(city)}
<div class="north" title="north is up"><svg viewBox="0 0 20 30" aria-hidden="true">\
<path d="M10 1 L16 17 L10 13.5 L4 17 Z"/><text x="10" y="28">N</text></svg></div>
</div>
<p class="pointed" aria-live="polite"></p>
<figcaption>{_legend(states, city, threshold_m)}</figcaption>
</figure>"""


def _layer(
    city: CityMap, queries: AnsweredQueries, states: np.ndarray, state: str
) -> str:
    shown = np.flatnonzero(states == state)
    named, rest = shown[:_MOST_NAMED], shown[_MOST_NAMED:]
    parts = [
        f'<g class="q"><title>{escape(queries.names[city.rows[i]])}</title>'
        f"{_marks(city, np.array([i]), state)}</g>"
        for i in named
    ]
    if len(rest):
        parts.append(_marks(city, rest, state))
    return f'<g class="{state}">{"".join(parts)}</g>'


def _marks(city: CityMap, shown: np.ndarray, state: str) -> str:
    """Returns the marks of some queries; a hollow mark is a dot on a dot."""
    places = _dots(city.places[shown])
    marks = f'<path class="dot" d="{places}"/>'
    if state == WITHHELD:
        marks += f'<path class="hole" d="{places}"/>'
    if state == WRONG:
        answered = shown[np.isfinite(city.answers[shown, 0])]
        lines = "".join(
            f"M{_point(place)}L{_point(answer)}"
            for place, answer in zip(
                city.places[answered], city.answers[answered], strict=True
            )
        )
        ends = _dots(city.answers[answered])
        marks = (
            f'<path class="error" d="{lines}"/><path class="end" d="{ends}"/>{marks}'
        )
    return marks


def _dots(points: np.ndarray) -> str:
    """Returns path data of lines of no length: round ends make them dots."""
    return "".join(f"M{_point(point)}h0" for point in points)


def _point(point: np.ndarray) -> str:
    # Far answers lie far outside; the frame cuts their lines.
    x, y = np.clip(point, -1e6, 1e6)
    return f"{x:.1f} {y:.1f}".replace(".0", "")


def _scale_bar(city: CityMap) -> str:
    metres = round_length_m(WIDTH * city.metres_per_unit * 0.22)
    percent = 100 * metres / (WIDTH * city.metres_per_unit)
    text = f"{metres / 1000:g} km" if metres >= 1000 else f"{metres:g} m"
    return f'<div class="scale" style="width:{percent:.3f}%"><span>{text}</span></div>'


def round_length_m(metres: float) -> float:
    """Returns the largest 1, 2 or 5 times a power of ten up to `metres`."""
    power = 10 ** math.floor(math.log10(metres))
    return next(float(n * power) for n in (5, 2, 1) if n * power <= metres)


def _legend(states: np.ndarray, city: CityMap, threshold_m: float) -> str:
    entries = [
        f'<span class="key {state}">{_sample(state)}'
        f"{text.format(threshold=threshold_m)} ({count:,})</span>"
        for state, text in _LEGEND
        if (count := int(np.sum(states == state)))
    ]
    entries.append(
        '<span class="key"><svg viewBox="0 0 24 12"><path class="photos" '
        f'd="M6 6h0M12 4h0M18 7h0"/></svg>database photos ({city.num_photos:,})</span>'
    )
    return "".join(entries)


def _sample(state: str) -> str:
    marks = '<path class="dot" d="M7 6h0"/>'
    if state == WITHHELD:
        marks += '<path class="hole" d="M7 6h0"/>'
    if state == WRONG:
        error = '<path class="error" d="M7 6L21 6"/><path class="end" d="M21 6h0"/>'
        marks = error + marks
    return f'<svg viewBox="0 0 24 12" aria-hidden="true">{marks}</svg>'
