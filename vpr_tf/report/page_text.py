"""Numbers and names as text of a page."""

from __future__ import annotations

import math
from html import escape

from vpr_tf.report.intervals import Interval

NOTHING = "–"  # noqa: RUF001  (stands where a number is unknown)


_CIRCUMSTANCES = {
    "mean_luma": "brightness",
    "year_gap": "years apart",
    "heading_gap_deg": "heading difference",
    "nearest_database_m": "nearest photo",
    "class_num_images": "photos of the class",
}


def circumstance(name: str) -> str:
    """Returns the name of a circumstance, a column of per_query.csv, for people."""
    return _CIRCUMSTANCES.get(name, name.replace("_", " "))


def safe(text: object) -> str:
    """Returns text as HTML; bytes, as keys of records are, are read as UTF-8."""
    if isinstance(text, bytes):
        text = text.decode(errors="replace")
    return escape(str(text))


def breakable(text: object) -> str:
    """Returns a file name as HTML that may be broken at its separators."""
    html = safe(text)
    for separator in "/@_":
        html = html.replace(separator, f"{separator}<wbr>")
    return html


def count_of(number: int, singular: str, plural: str) -> str:
    """Returns e.g. `1 query` or `2,500 queries`."""
    return f"{number:,} {singular if number == 1 else plural}"


def metres(distance_m: float) -> str:
    """Returns a distance with its unit, as exact as its size deserves."""
    if not math.isfinite(distance_m):
        return NOTHING
    if distance_m < 99.95:
        return f"{distance_m:.1f} m"
    if distance_m < 10_000:
        return f"{distance_m:,.0f} m"
    return f"{distance_m / 1000:,.0f} km"


def number(value: float, decimals: int = 1, unit: str = "") -> str:
    """Returns a number, or a dash where it is not known."""
    return f"{value:,.{decimals}f}{unit}" if math.isfinite(value) else NOTHING


def with_interval(interval: Interval, decimals: int = 1, unit: str = "") -> str:
    """Returns a number with its interval behind it, as HTML."""
    text = number(interval.value, decimals, unit)
    if not (math.isfinite(interval.low) and math.isfinite(interval.high)):
        return text
    low, high = (f"{end:,.{decimals}f}" for end in (interval.low, interval.high))
    return f'{text} <span class="interval">[{low}, {high}]</span>'
