"""Rooflines: the height of a wall at each of its columns."""

from __future__ import annotations

import numpy as np


def roof_height_m(roof: str, width_m: float) -> float:
    """Returns the metres that a roof may rise above the eaves."""
    heights = {
        "flat": 0.7,
        "gable": min(0.45 * width_m, 5.0),
        "mansard": 3.0,
        "stepped": min(0.4 * width_m, 4.5),
        "dome": min(0.4 * width_m, 5.0),
        "towers": 4.5,
        "saw": 2.2,
        "crenels": 1.6,
    }
    return heights[roof] + 1.2  # chimneys


def roof_profile(
    roof: str,
    num_columns: int,
    eaves_m: float,
    width_m: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Returns (num_columns,) heights in metres, chimneys included."""
    u = (np.arange(num_columns) + 0.5) / num_columns
    rise = roof_height_m(roof, width_m) - 1.2
    from_middle = np.abs(2 * u - 1)
    if roof == "flat":
        shape = np.full(num_columns, 1.0)
    elif roof == "gable":
        shape = 1.0 - from_middle
    elif roof == "mansard":
        shape = np.clip((1.0 - from_middle) * 6.0, 0.0, 1.0)
    elif roof == "stepped":
        shape = np.ceil((1.0 - from_middle) * 4.0) / 4.0
    elif roof == "dome":
        shape = np.sqrt(np.clip(1.0 - (from_middle / 0.7) ** 2, 0.0, None))
    elif roof == "towers":
        shape = np.where(from_middle > 0.6, 1.0, 0.12)
    elif roof == "saw":
        shape = (u * max(2, round(width_m / 3.5))) % 1.0
    else:
        shape = (np.floor(u * max(5, round(width_m / 0.9))) % 2).astype(float)
    profile = eaves_m + rise * shape
    for _ in range(int(rng.integers(0, 3))):
        x = rng.uniform(0.05, 0.9)
        chimney = (u > x) & (u < x + 0.9 / width_m)
        profile[chimney] += rng.uniform(0.6, 1.2)
    return profile
