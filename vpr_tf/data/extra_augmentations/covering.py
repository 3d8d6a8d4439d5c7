"""Augmentations that cover a part of an image: erasing and cutout."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from vpr_tf.config.augmentations import Cutout, RandomErasing
from vpr_tf.data.extra_augmentations.draws import Draws, compiled


def random_erasing(config: RandomErasing, image: tf.Tensor, draws: Draws) -> tf.Tensor:
    """Replaces a rectangle that lies inside, by noise or black."""
    height, width = float(image.shape[0]), float(image.shape[1])
    area = draws.uniform(low=config.min_area, high=config.max_area) * height * width
    limit = -tf.math.log(config.min_aspect)
    aspect = tf.exp(draws.uniform(low=-limit, high=limit))
    rows = tf.minimum(tf.round(tf.sqrt(area / aspect)), height)
    columns = tf.minimum(tf.round(tf.sqrt(area * aspect)), width)
    corner = draws.uniform(2)
    top = tf.floor(corner[0] * (height - rows + 1))
    left = tf.floor(corner[1] * (width - columns + 1))
    noise = draws.noise(tuple(image.shape), normal=False) if config.noise else 0.0
    return covered(image, noise, top, left, rows, columns)


def cutout(config: Cutout, image: tf.Tensor, draws: Draws) -> tf.Tensor:
    """Blacks out a square around any pixel."""
    size = 2 * round(config.size * image.shape[0] / 2)
    row, column = draws.index(image.shape[0]), draws.index(image.shape[1])
    return cut_out(image, row, column, size)


def cut_out(image: tf.Tensor, row: Any, column: Any, size: int) -> tf.Tensor:
    """Blacks out a square of even side around a pixel; what is outside is cut off."""
    top, left = row - size // 2, column - size // 2
    return covered(image, 0.0, top, left, size, size)


@compiled
def covered(
    image: tf.Tensor, by: Any, top: Any, left: Any, height: Any, width: Any
) -> tf.Tensor:
    """Replaces a rectangle of an image; what is outside is cut off."""
    top, left, height, width = (
        tf.cast(value, tf.int32) for value in (top, left, height, width)
    )
    rows, columns = tf.range(image.shape[0]), tf.range(image.shape[1])
    in_rows = (rows >= top) & (rows < top + height)
    in_columns = (columns >= left) & (columns < left + width)
    inside = in_rows[:, None] & in_columns
    return tf.where(inside[..., None], by, image)
