"""Photos that a dataset leaves out because they are not of its area."""

from __future__ import annotations

import numpy as np

from vpr_tf.config import AreaConfig
from vpr_tf.photos import PhotoFiles


def leave_out_beyond(files: PhotoFiles, area: AreaConfig) -> PhotoFiles:
    """Leaves out the photos that are not of an area.

    Args:
        files: Photos of known position.
        area: Its limits.

    Returns:
        The others; `excluded` says which are left out, and by which limit first.
    """
    positions, heading_deg = files.photos.positions, files.photos.heading_deg
    known = {
        "latitude": positions.latitude_deg,
        "longitude": positions.longitude_deg,
        "utm_east": positions.utm_east_cm / 100,
        "utm_north": positions.utm_north_cm / 100,
        "heading_deg": np.where(heading_deg < 0, np.nan, heading_deg),
    }
    beyond = np.zeros(len(files), bool)
    reasons: dict[int, str] = {}
    for name, limits in area.limits.items():
        values = np.asarray(known[name], np.float64)
        out = ~_between(values, *limits, turns=area.turns(name)) & ~beyond
        beyond |= out
        for row in np.flatnonzero(out).tolist():
            value = values[row]
            what = "unknown" if np.isnan(value) else f"{value:.12g}"
            reasons[row] = f"{name} is {what} (`build.area.{name}` is {limits})"
    return files.without(
        beyond, (reasons[row] for row in np.flatnonzero(beyond).tolist())
    )


def _between(
    values: np.ndarray, first: float, last: float, *, turns: bool
) -> np.ndarray:
    """Whether values are between two, on a circle of degrees if it turns."""
    if not turns:
        return (values >= first) & (values <= last)
    span = last - first + (360 if last < first else 0)
    return (values - first) % 360 <= span
