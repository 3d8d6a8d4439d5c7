"""A map of the photos of an index, without tiles of any server."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vpr_tf.atomic_files import replace_file
from vpr_tf.drawing import plain_text
from vpr_tf.geo import extent_deg, wrap_degrees
from vpr_tf.photos import PhotoTable
from vpr_tf.search import RetrievalError

_MANY_PHOTOS = 20_000
_ASPECTS = (0.35, 1.5)  # of a map, height over width
_MARGIN = 0.03
_SCALE_BARS_M = [step * 10.0**power for power in range(7) for step in (1, 2, 5)]
_METRES_PER_DEGREE = 111_195.0


@plain_text()
def draw_map(photos: PhotoTable, file: Path, *, title: str) -> None:
    """Draws where photos were taken; colour is the year when it is known.

    Args:
        photos: The photos; those of unknown position are left out.
        file: PNG file to write.
        title: Of the map.

    Raises:
        RetrievalError: No position is known, or the file is not to be PNG.
    """
    if file.suffix.lower() != ".png":
        raise RetrievalError(f"--map must be a .png file. Received: {file}")
    known = photos.positions.known
    if photos.positions.is_local.any():
        raise RetrievalError(
            "A map needs latitude and longitude, and the photos of the index have "
            "local coordinates, metres without a UTM zone. Leave --map out."
        )
    if not known.any():
        raise RetrievalError("No photo of the index has a position to draw.")
    from matplotlib.figure import Figure

    latitude = photos.positions.latitude_deg[known]
    west, _ = extent_deg(photos.positions.longitude_deg[known])
    longitude = west + (photos.positions.longitude_deg[known] - west) % 360
    shrinking = max(0.01, np.cos(np.radians(latitude.mean())))
    width, height = float(np.ptp(longitude) * shrinking), float(np.ptp(latitude))
    aspect = np.clip(height / width if width else 1.0, *_ASPECTS)
    figure = Figure(figsize=(8, 1.5 + 6.5 * aspect), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    axes.set_aspect(1 / shrinking, "datalim")
    years = _years(photos.timestamps[known])
    points = axes.scatter(
        longitude,
        latitude,
        c=np.where(years > 0, years, np.nan) if years.any() else "tab:blue",
        s=4 if len(latitude) < _MANY_PHOTOS else 0.5,
        plotnonfinite=True,
        linewidths=0,
    )
    if years.any() and len(np.unique(years)) > 1:
        figure.colorbar(points, ax=axes, label="year", shrink=0.6, format="%d")
    axes.margins(_MARGIN)
    axes.xaxis.set_major_formatter(lambda value, _: f"{wrap_degrees(value):.4f}")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.4f}")
    axes.tick_params("x", labelrotation=30)
    axes.set(
        xlabel="longitude",
        ylabel="latitude",
        title=f"{title}: {len(latitude):,} photos",
    )
    _draw_scale_bar(figure, axes, float(latitude.mean()))
    with replace_file(file) as temporary:
        figure.savefig(temporary, metadata={"Software": None})


def _years(timestamps: np.ndarray) -> np.ndarray:
    """Returns whole years; 0 where unknown."""
    years = timestamps.astype("S4")
    return np.where(years == b"", b"0", years).astype(np.int64)


def _draw_scale_bar(figure: object, axes: object, latitude_deg: float) -> None:
    """Draws a bar of round length, about a fifth of the width."""
    figure.draw_without_rendering()  # type: ignore[attr-defined]
    west, east = axes.get_xlim()  # type: ignore[attr-defined]
    metres_per_degree = _METRES_PER_DEGREE * np.cos(np.radians(latitude_deg))
    wanted_m = (east - west) * metres_per_degree / 5
    length_m = max(
        (bar for bar in _SCALE_BARS_M if bar <= wanted_m), default=_SCALE_BARS_M[0]
    )
    share = length_m / metres_per_degree / (east - west)
    axes.plot(  # type: ignore[attr-defined]
        [0.04, 0.04 + share],
        [0.03, 0.03],
        "k",
        lw=3,
        transform=axes.transAxes,  # type: ignore[attr-defined]
    )
    text = f"{length_m / 1000:g} km" if length_m >= 1000 else f"{length_m:g} m"
    axes.text(0.04, 0.045, text, transform=axes.transAxes)  # type: ignore[attr-defined]
