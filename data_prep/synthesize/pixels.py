"""Fast moves of four-channel pixels, and light and haze on them.

Pixels are (..., 4) float32: red, green, blue, and a constant 255. NumPy gathers and
scatters an array of 16-byte items several times faster than rows of four floats.
"""

from __future__ import annotations

import numpy as np

from data_prep.synthesize.conditions import Conditions
from vpr_tf import light_and_air


def as_items(pixels: np.ndarray) -> np.ndarray:
    """Views (..., 4) float32 pixels as single 16-byte items."""
    return pixels.view(np.complex128)[..., 0]


def spread(by_run: np.ndarray, which: np.ndarray) -> np.ndarray:
    """Returns by_run[which] for (num_runs, 4) float32 rows."""
    return as_items(by_run).take(which).view(np.float32).reshape(-1, 4)


def with_fourth(colour: np.ndarray, value: float) -> np.ndarray:
    """Appends a channel of one value to (..., 3) and makes it float32."""
    padded = np.full((*colour.shape[:-1], 4), value, np.float32)
    padded[..., :3] = colour
    return padded


def run_rows(first: np.ndarray, runs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lists the pixels of runs of rows.

    Args:
        first: (num_runs,) first row of each run.
        runs: (num_runs,) number of rows, 0 or more.

    Returns:
        Run and row of each pixel, int32 of shape (runs.sum(),).
    """
    which = np.repeat(np.arange(runs.size, dtype=np.int32), runs)
    before = (np.cumsum(runs) - runs).astype(np.int32)
    row = np.arange(which.size, dtype=np.int32) + (first - before)[which]
    return which, row


def sunlight(conditions: Conditions, normal: np.ndarray) -> np.ndarray:
    """Returns (..., 3) multipliers for surfaces with (..., 2) normals."""
    azimuth = np.deg2rad(conditions.sun_azimuth_deg)
    towards = np.array([np.sin(azimuth), np.cos(azimuth)], np.float32)
    facing = np.clip(normal @ towards, 0.0, 1.0)[..., None]
    return np.array(conditions.ambient) + np.array(conditions.sun) * facing


def even_light(conditions: Conditions, sun_share: float) -> np.ndarray:
    """Returns (3,) multipliers of a surface that sees a share of the sun."""
    return light_and_air.even_light(conditions.ambient, conditions.sun, sun_share)


def gain_and_haze(
    conditions: Conditions, light: np.ndarray, distance: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns what multiplies a colour and what is added to it.

    Args:
        conditions: Colour and density of the haze.
        light: (3,) or (num, 3) multipliers.
        distance: (num,) metres.

    Returns:
        Two (num, 4) float32; the fourth channel becomes 255.
    """
    clear = clear_share(conditions, distance)[:, None]
    haze = np.array(conditions.horizon) * (1.0 - clear)
    return with_fourth(light * clear, 0.0), with_fourth(haze, 255.0)


def clear_share(conditions: Conditions, distance: np.ndarray) -> np.ndarray:
    """Returns the share of light that haze lets through."""
    length = np.float32(conditions.haze_length_m)
    return np.asarray(light_and_air.clear_share(distance, length))
