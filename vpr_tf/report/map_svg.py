"""Path data and scale of a city map; `templates/map.html.j2` draws it."""

from __future__ import annotations

import math

import numpy as np


def path_dots(points: np.ndarray) -> str:
    """Returns lines of no length through points `(n, 2)`: round ends make dots."""
    return "".join(f"M{_point(point)}h0" for point in points)


def path_lines(starts: np.ndarray, ends: np.ndarray) -> str:
    """Returns lines between points `(n, 2)`."""
    pairs = zip(starts, ends, strict=True)
    return "".join(f"M{_point(start)}L{_point(end)}" for start, end in pairs)


def _point(point: np.ndarray) -> str:
    # Far localizations lie far outside; the frame cuts their lines.
    x, y = np.clip(point, -1e6, 1e6)
    return f"{x:.1f} {y:.1f}".replace(".0", "")


def round_length_m(metres: float) -> float:
    """Returns the largest 1, 2 or 5 times a power of ten up to `metres`."""
    power = 10 ** math.floor(math.log10(metres))
    return next(float(n * power) for n in (5, 2, 1) if n * power <= metres)
