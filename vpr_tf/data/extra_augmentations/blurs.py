"""Augmentations that smooth or sharpen."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from vpr_tf.config.augmentations import GaussianBlur, MotionBlur, Sharpness
from vpr_tf.data.extra_augmentations.draws import Draws, compiled

_SIGMAS = 3.0  # half width of a kernel


def random_blur(config: GaussianBlur, image: tf.Tensor, draws: Draws) -> tf.Tensor:
    """Smooths by a Gaussian of random width."""
    radius = max(1, math.ceil(_SIGMAS * config.max_sigma))
    sigma = draws.uniform(low=config.min_sigma, high=config.max_sigma)
    return gaussian_blur(image, sigma, radius=min(radius, min(image.shape[:2]) - 1))


@compiled
def gaussian_blur(image: tf.Tensor, sigma: Any, *, radius: int) -> tf.Tensor:
    """Smooths by a Gaussian; the border is mirrored.

    Args:
        image: float32 `(height, width, 3)` of static shape.
        sigma: Width in pixels.
        radius: Half width of the kernel, which has `2 * radius + 1` values.
    """
    sigma = tf.maximum(tf.cast(sigma, tf.float32), 1e-3)
    steps = tf.range(-radius, radius + 1, dtype=tf.float32)
    weights = tf.nn.softmax(-0.5 * tf.square(steps / sigma))
    shape, values = image.shape, 3 * image.shape[1]
    # In rows of interleaved channels, whose neighbours are 3 values away.
    padded = tf.pad(image, [[radius, radius], [0, 0], [0, 0]], mode="REFLECT")
    rows = tf.reshape(padded, [shape[0] + 2 * radius, values])
    image = sum(weights[k] * rows[k : k + shape[0]] for k in range(2 * radius + 1))
    padded = tf.pad(
        tf.reshape(image, shape), [[0, 0], [radius, radius], [0, 0]], mode="REFLECT"
    )
    rows = tf.reshape(padded, [shape[0], values + 6 * radius])
    image = sum(
        weights[k] * rows[:, 3 * k : 3 * k + values] for k in range(2 * radius + 1)
    )
    return tf.clip_by_value(tf.reshape(image, shape), 0.0, 1.0)


def motion_blur(config: MotionBlur, image: tf.Tensor, draws: Draws) -> tf.Tensor:
    """Smears along a line of random length and direction."""
    radius = round(config.length * image.shape[1] / 2)
    if not radius:
        return image
    limit = math.radians(config.max_angle_deg)
    return smear(
        image,
        draws.uniform(high=2.0 * radius),
        draws.uniform(low=-limit, high=limit),
        radius=radius,
    )


def smear(image: tf.Tensor, length: Any, angle: Any, *, radius: int) -> tf.Tensor:
    """Averages along a line; the border is mirrored.

    The image is averaged with itself moved by half the line, the result with itself
    moved by a quarter, and so on to less than a pixel.

    Args:
        image: float32 `(height, width, 3)` of static shape.
        length: Of the line in pixels, at most `2 * radius`.
        angle: Radians from the horizontal.
        radius: Of the longest line.
    """
    edge = [radius + 1, radius + 1]
    smeared = tf.pad(image, [edge, edge, [0, 0]], mode="SYMMETRIC")
    direction = tf.stack([tf.sin(angle), tf.cos(angle)])
    moved = tf.zeros(2, tf.int32)
    for halving in range(1, math.ceil(math.log2(2 * radius + 1)) + 1):
        step = tf.cast(tf.round(length / 2.0**halving * direction), tf.int32)
        smeared = _mean(smeared, tf.roll(smeared, step, axis=[0, 1]))
        moved += step
    begin = tf.concat([radius + 1 + moved // 2, [0]], axis=0)
    return tf.ensure_shape(tf.slice(smeared, begin, image.shape), image.shape)


@compiled
def _mean(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    return 0.5 * (first + second)


def random_sharpness(config: Sharpness, image: tf.Tensor, draws: Draws) -> tf.Tensor:
    """Blurs or sharpens by a random factor around 1."""
    low = max(0.0, 1.0 - config.factor)
    return sharpen(image, draws.uniform(low=low, high=1.0 + config.factor))


@compiled
def sharpen(image: tf.Tensor, factor: Any) -> tf.Tensor:
    """Blends with a smoothed image, whose border is the image's, and clips.

    Args:
        image: float32 `(height, width, 3)` in [0, 1], of static shape.
        factor: 0 smoothed, 1 the image, above 1 sharper.
    """
    height, width = image.shape[0], image.shape[1]
    rows = image[:-2] + image[1:-1] + image[2:]
    around = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]
    smooth = (around + 4.0 * image[1:-1, 1:-1]) / 13.0
    smooth = tf.pad(smooth, [[1, 1], [1, 1], [0, 0]])
    inner_rows = (tf.range(height) > 0) & (tf.range(height) < height - 1)
    inner_columns = (tf.range(width) > 0) & (tf.range(width) < width - 1)
    inside = (inner_rows[:, None] & inner_columns)[..., None]
    smooth = tf.where(inside, smooth, image)
    return tf.clip_by_value(smooth + factor * (image - smooth), 0.0, 1.0)
