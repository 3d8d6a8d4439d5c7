"""Blends standing pictures (cars, people, trees) over walls and ground."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data_prep.synthesize.conditions import Conditions
from data_prep.synthesize.pixels import clear_share, even_light, with_fourth
from data_prep.synthesize.street_props import StandingPicture
from data_prep.synthesize.strip import Strip


def paint_picture(
    canvas: np.ndarray,
    picture: StandingPicture,
    camera: np.ndarray,
    strip: Strip,
    conditions: Conditions,
    rays: np.ndarray,
    wall_distance: np.ndarray,
) -> None:
    """Blends one picture where no wall is nearer.

    Args:
        canvas: (columns, rows, 4) float32, painted in place.
        picture: What stands where.
        camera: (3,) x, y and height in metres.
        strip: What the canvas shows.
        conditions: Light and haze.
        rays: (2, columns) from `strip.rays()`.
        wall_distance: (columns,) metres to the nearest wall.
    """
    left = picture.left - camera[:2]
    edge = picture.right - picture.left
    start, end = np.arctan2(*left), np.arctan2(*(left + edge))
    turn = 2 * np.pi
    width = (end - start) % turn
    if width > np.pi:  # seen from behind
        return
    first = (start - strip.azimuth_start) % turn
    for offset in (first, first - turn):
        low = max(0, int(offset / strip.azimuth_step))
        high = min(strip.columns, int((offset + width) / strip.azimuth_step) + 1)
        if high > low:
            part = slice(low, high)
            found = _columns(left, edge, rays[:, part], wall_distance[part])
            if found is not None:
                _blend(
                    canvas[part], picture, float(camera[2]), strip, conditions, found
                )


@dataclass(frozen=True)
class _Columns:
    """Columns that see a picture: which, and per column distance, place, visibility."""

    part: slice
    distance: np.ndarray
    along: np.ndarray
    seen: np.ndarray


def _columns(
    left: np.ndarray, edge: np.ndarray, rays: np.ndarray, wall_distance: np.ndarray
) -> _Columns | None:
    across = rays[0] * edge[1] - rays[1] * edge[0]
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = (left[0] * edge[1] - left[1] * edge[0]) / across
        along = (left[0] * rays[1] - left[1] * rays[0]) / across
    seen = (along >= 0) & (along < 1) & (distance > 0.3) & (distance < wall_distance)
    inner = np.flatnonzero(seen)
    if not inner.size:
        return None
    part = slice(int(inner[0]), int(inner[-1]) + 1)
    seen = seen[part]
    return _Columns(part, np.where(seen, distance[part], 1e3), along[part], seen)


def _blend(
    canvas: np.ndarray,
    picture: StandingPicture,
    camera_m: float,
    strip: Strip,
    conditions: Conditions,
    columns: _Columns,
) -> None:
    near = float(columns.distance.min())
    far = float(columns.distance[columns.seen].max())
    above = picture.height_m - camera_m
    rows = slice(
        strip.row_of(above / (near if above > 0 else far)),
        strip.row_of(-camera_m / near),
    )
    if rows.stop <= rows.start:
        return
    texels = _texels(picture, camera_m, strip, columns, near, rows)
    light = even_light(conditions, 0.4) * np.array(picture.tint)
    clear = float(clear_share(conditions, np.array(near)))
    gain = with_fourth(light * clear, 1.0)
    haze = with_fourth(np.array(conditions.horizon) * (1.0 - clear), 0.0)
    opacity = texels[..., 3:] * np.float32(1 / 255)
    target = canvas[columns.part, rows]
    target *= 1.0 - opacity
    target += texels * gain + haze * opacity


def _texels(
    picture: StandingPicture,
    camera_m: float,
    strip: Strip,
    columns: _Columns,
    near: float,
    rows: slice,
) -> np.ndarray:
    """Returns (columns, rows, 4) float32 of the picture, transparent outside it."""
    levels = picture.sprite.levels
    texels_per_row = levels[0].shape[1] / picture.height_m * near * strip.row_step
    level = int(np.clip(np.log2(max(texels_per_row, 1.0)), 0, len(levels) - 1))
    pixels = levels[level]
    u = np.clip(columns.along * pixels.shape[0], 0, pixels.shape[0] - 1)
    z = camera_m + strip.tangents()[rows][None] * columns.distance[:, None]
    v = np.floor(z * (pixels.shape[1] / picture.height_m)).astype(np.int32)
    inside = (v >= 0) & (v < pixels.shape[1]) & columns.seen[:, None]
    np.clip(v, 0, pixels.shape[1] - 1, out=v)
    texels = pixels[u.astype(np.int32)[:, None], v].astype(np.float32)
    texels *= inside[..., None]
    return texels
