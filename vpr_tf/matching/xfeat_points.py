"""From the maps of XFeat to key points, in NumPy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import maximum_filter

from vpr_tf.matching.xfeat import CELL

_LEAST_PROBABILITY = 0.05
_NEIGHBOURHOOD_PX = 5  # in which a key point is the most probable pixel
_CUBIC = -0.75  # of the convolution kernel, as torch has it


@dataclass(frozen=True, eq=False)
class XFeatPoints:
    """Key points of an image, best first.

    Attributes:
        xy: Pixels, float32 `(num_points, 2)`.
        scores: Float32 `(num_points,)`.
        descriptors: Float32 of length 1, `(num_points, 64)`.
    """

    xy: np.ndarray
    scores: np.ndarray
    descriptors: np.ndarray


def points_of_maps(
    features: np.ndarray,
    logits: np.ndarray,
    reliability: np.ndarray,
    num_points: int | None = None,
) -> XFeatPoints:
    """Finds the key points of an image.

    A key point is a pixel that is more probable than 0.05 and than its neighbours. Its
    score is the probability times the reliability of its cell.

    Args:
        features: `(height / 8, width / 8, 64)`.
        logits: Of each pixel of a cell and of none, `(height / 8, width / 8, 65)`.
        reliability: `(height / 8, width / 8, 1)`.
        num_points: The best that are kept; None for all.

    Returns:
        Points in pixels of the image that the maps are of.
    """
    pixels = _probabilities(logits)
    height, width = pixels.shape
    largest = maximum_filter(pixels, _NEIGHBOURHOOD_PX, mode="constant", cval=-np.inf)
    # The last row and column have no probability where the official code reads them.
    rows, columns = np.nonzero(
        ((pixels == largest) & (pixels > _LEAST_PROBABILITY))[:-1, :-1]
    )
    xy = np.stack([columns, rows], axis=1).astype(np.float32)
    places = _places_in_map(xy, (height, width), logits.shape[:2])
    scores = pixels[rows, columns] * _sampled(reliability, places, _linear)[:, 0]
    scores[(rows == 0) & (columns == 0)] = 0
    order = np.argsort(-scores, kind="stable")[:num_points]
    order = order[scores[order] > 0]
    lengths = np.linalg.norm(features, axis=2, keepdims=True)
    unit = features / np.maximum(lengths, 1e-12)
    descriptors = _sampled(unit, places[order], _cubic)
    lengths = np.linalg.norm(descriptors, axis=1, keepdims=True)
    return XFeatPoints(
        xy[order], scores[order], descriptors / np.maximum(lengths, 1e-12)
    )


def _probabilities(logits: np.ndarray) -> np.ndarray:
    """Returns how probable each pixel is a key point, `(height, width)`."""
    powers = np.exp(logits - logits.max(axis=2, keepdims=True))
    cells = (powers / powers.sum(axis=2, keepdims=True))[..., : CELL * CELL]
    rows, columns, _ = cells.shape
    blocks = cells.reshape(rows, columns, CELL, CELL).swapaxes(1, 2)
    return blocks.reshape(rows * CELL, columns * CELL)


def _places_in_map(
    xy: np.ndarray, image_size: tuple[int, int], map_size: tuple[int, ...]
) -> np.ndarray:
    """Returns row and column in a map, whose ends are the middles of the last pixels.

    So the official code has it, though a map's cells end at the edges of pixels.
    """
    scale = np.array(map_size) / (np.array(image_size) - 1)
    return xy[:, ::-1] * scale.astype(np.float32) - np.float32(0.5)


def _sampled(
    values: np.ndarray,
    places: np.ndarray,
    kernel: Callable[[np.ndarray], np.ndarray],
) -> np.ndarray:
    """Interpolates `(height, width, channels)`, zero outside, at rows and columns."""
    first = np.floor(places).astype(np.int64)
    weights = kernel(places - first)
    num_taps = weights.shape[-1]
    start = first - (num_taps // 2 - 1)
    found = np.zeros((len(places), values.shape[2]), np.float32)
    height, width, _ = values.shape
    for down in range(num_taps):
        row = start[:, 0] + down
        for right in range(num_taps):
            column = start[:, 1] + right
            weight = weights[:, 0, down] * weights[:, 1, right]
            inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            taken = values[row.clip(0, height - 1), column.clip(0, width - 1)]
            found += np.where(inside, weight, 0)[:, None].astype(np.float32) * taken
    return found


def _linear(offset: np.ndarray) -> np.ndarray:
    return np.stack([1 - offset, offset], axis=-1)


def _cubic(offset: np.ndarray) -> np.ndarray:
    """Returns the weights of four neighbours.

    Reference:
        Keys, "Cubic Convolution Interpolation for Digital Image Processing", 1981.
    """
    near = np.stack([offset, 1 - offset], axis=-1)
    far = near + 1
    inner = ((_CUBIC + 2) * near - (_CUBIC + 3)) * near**2 + 1
    outer = _CUBIC * (((far - 5) * far + 8) * far - 4)
    return np.stack(
        [outer[..., 0], inner[..., 0], inner[..., 1], outer[..., 1]], axis=-1
    )
