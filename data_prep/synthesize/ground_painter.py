"""Paints the ground below the walls of each column."""

from __future__ import annotations

import numpy as np

from data_prep.synthesize.conditions import Conditions
from data_prep.synthesize.ground import GroundMap
from data_prep.synthesize.pixels import (
    as_items,
    even_light,
    gain_and_haze,
    run_rows,
    spread,
)
from data_prep.synthesize.ray_casting import VIEW_RANGE_M
from data_prep.synthesize.strip import Strip


def paint_ground(
    canvas: np.ndarray,
    ground: GroundMap,
    camera: np.ndarray,
    strip: Strip,
    conditions: Conditions,
    first: np.ndarray,
) -> None:
    """Paints the ground.

    Args:
        canvas: (columns, rows, 4) float32, painted in place.
        ground: Picture of the ground from above.
        camera: (3,) x, y and height in metres.
        strip: What the canvas shows.
        conditions: Light and haze.
        first: (columns,) the row where the ground begins.
    """
    first = np.maximum(first, strip.row_of(-camera[2] / VIEW_RANGE_M / 2))
    which, row = run_rows(first, strip.rows - first)
    distance = camera[2] / np.maximum(-strip.tangents(), 1e-4)
    scale, size = np.float32(ground.pixels_per_m), ground.texels.shape[0]
    reach = (distance.astype(np.float32) * scale)[row]
    rays = strip.rays()
    x = (rays[0][which] * reach + np.float32(camera[0]) * scale).astype(np.int32)
    y = (rays[1][which] * reach + np.float32(camera[1]) * scale).astype(np.int32)
    np.clip(x, 0, size - 1, out=x)
    np.clip(y, 0, size - 1, out=y)
    texels = ground.texels.reshape(-1).take(y * size + x)
    colours = texels.view(np.uint8).reshape(-1, 4).astype(np.float32)
    light = even_light(conditions, 0.5)
    gain, haze = gain_and_haze(conditions, light, distance)
    colours *= spread(gain, row)
    colours += spread(haze, row)
    positions = (np.arange(strip.columns, dtype=np.int32) * strip.rows)[which] + row
    as_items(canvas.reshape(-1, 4))[positions] = as_items(colours)
