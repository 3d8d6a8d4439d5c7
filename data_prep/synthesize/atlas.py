"""One flat array of all textures with their smaller levels, for single gathers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NUM_LEVELS = 5


def halve(image: np.ndarray) -> np.ndarray:
    """Averages 2x2 pixels of (W, H, C) uint8, keeping at least one pixel a side."""
    width, height = image.shape[:2]
    even = image[: max(width // 2 * 2, 1), : max(height // 2 * 2, 1)].astype(np.uint16)
    if width > 1:
        even = (even[0::2] + even[1::2] + np.uint16(1)) >> np.uint16(1)
    if height > 1:
        even = (even[:, 0::2] + even[:, 1::2] + np.uint16(1)) >> np.uint16(1)
    return even.astype(np.uint8)


@dataclass(frozen=True)
class Atlas:
    """Textures by id and level.

    Attributes:
        texels: (num_texels,) uint32, each four bytes: red, green, blue, glow.
        offsets: (num_textures, NUM_LEVELS) first texel.
        widths: (num_textures, NUM_LEVELS) columns.
        heights: (num_textures, NUM_LEVELS) texels in one column, from the ground up.
    """

    texels: np.ndarray
    offsets: np.ndarray
    widths: np.ndarray
    heights: np.ndarray


def build_atlas(textures: list[np.ndarray]) -> Atlas:
    """Packs (width, height, 4) uint8 textures, column after column."""
    shape = (len(textures), NUM_LEVELS)
    offsets, widths, heights = (np.zeros(shape, np.int32) for _ in range(3))
    pieces: list[np.ndarray] = []
    total = 0
    for index, texture in enumerate(textures):
        level_image = texture
        for level in range(NUM_LEVELS):
            if level:
                level_image = halve(level_image)
            offsets[index, level] = total
            widths[index, level], heights[index, level] = level_image.shape[:2]
            pieces.append(np.ascontiguousarray(level_image).reshape(-1, 4))
            total += level_image.shape[0] * level_image.shape[1]
    texels = np.concatenate(pieces).view(np.uint32).reshape(-1)
    return Atlas(texels, offsets, widths, heights)
