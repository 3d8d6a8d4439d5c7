"""Sky with clouds behind everything."""

from __future__ import annotations

import numpy as np

from data_prep.synthesize.conditions import Conditions
from data_prep.synthesize.pixels import as_items, with_fourth
from data_prep.synthesize.strip import Strip

_BLOCK_COLUMNS, _BLOCK_ROWS = 5, 3  # clouds are soft: drawn small, then enlarged
_CLOUD_SIZES = ((14, 40.0), (5, 26.0), (2, 10.0))


def draw_sky(strip: Strip, conditions: Conditions) -> np.ndarray:
    """Returns (columns, rows, 4) float32 filled with sky and clouds."""
    height = np.clip(strip.tangents()[::_BLOCK_ROWS], 0.0, 1.2)[:, None] / 1.2
    zenith, horizon = np.array(conditions.zenith), np.array(conditions.horizon)
    gradient = horizon + (zenith - horizon) * np.sqrt(height)
    around = int(np.ceil(2 * np.pi / strip.azimuth_step / _BLOCK_COLUMNS)) + 1
    clouds = _clouds(around, len(height), conditions.seed) * conditions.clouds
    sky = with_fourth(gradient + clouds[..., None], 255.0)
    first = int(strip.azimuth_start % (2 * np.pi) / strip.azimuth_step)
    column = ((np.arange(strip.columns) + first) // _BLOCK_COLUMNS) % around
    row = np.arange(strip.rows) // _BLOCK_ROWS
    positions = column[:, None] * len(height) + row
    canvas = as_items(sky.reshape(-1, 4)).take(positions)
    return canvas.view(np.float32).reshape(strip.columns, strip.rows, 4)


def _clouds(around: int, tall: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng((seed, 51))
    clouds = np.zeros((around, tall), np.float32)
    for size, strength in _CLOUD_SIZES:
        shape = (around // size + 1, tall // (size // 2) + 1)
        noise = rng.random(shape, np.float32) - 0.45
        noise = noise.repeat(size, axis=0).repeat(size // 2, axis=1)[:around, :tall]
        for step in range(size):  # blurred, so that clouds have no square edges
            clouds += np.roll(noise, step, axis=0) * (strength / size)
    return clouds
