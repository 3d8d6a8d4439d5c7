"""Augmentations that move pixels: perspective, rotation, shear."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from vpr_tf.config.augmentations import RandomPerspective, Rotation
from vpr_tf.data.extra_augmentations.draws import Draws


def random_perspective(
    config: RandomPerspective, image: tf.Tensor, draws: Draws
) -> tf.Tensor:
    """Moves the four corners inwards, as torchvision's `RandomPerspective`."""
    height, width = image.shape[0], image.shape[1]
    steps = draws.uniform(4, 2) * config.factor / 2.0
    # From the corners towards the middle: x right and y down.
    inwards = tf.constant([[1.0, 1.0], [-1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]])
    sides = tf.constant([width - 1.0, height - 1.0])
    corners = tf.constant([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]) * sides
    return project(image, homography(corners + inwards * steps * sides, corners))


def rotation(config: Rotation, image: tf.Tensor, draws: Draws) -> tf.Tensor:
    """Turns by up to some degrees."""
    limit = math.radians(config.max_angle_deg)
    return rotate(image, draws.uniform(low=-limit, high=limit))


def rotate(image: tf.Tensor, angle: Any) -> tf.Tensor:
    """Turns an image counterclockwise by radians around its middle."""
    cosine, sine = tf.cos(angle), tf.sin(angle)
    return project(image, _around_middle(image, cosine, -sine, sine, cosine))


def shear(image: tf.Tensor, share: Any) -> tf.Tensor:
    """Moves rows sideways by a share of their distance from the middle."""
    return project(image, _around_middle(image, 1.0, share, 0.0, 1.0))


def _around_middle(image: tf.Tensor, a: Any, b: Any, c: Any, d: Any) -> tf.Tensor:
    """Returns the transform [[a, b], [c, d]] around the middle of an image."""
    a, b, c, d = (tf.cast(value, tf.float32) for value in (a, b, c, d))
    x, y = (image.shape[1] - 1) / 2.0, (image.shape[0] - 1) / 2.0
    zero = tf.constant(0.0)
    return tf.stack([a, b, x - (a * x + b * y), c, d, y - (c * x + d * y), zero, zero])


def project(image: tf.Tensor, transform: tf.Tensor) -> tf.Tensor:
    """Takes each pixel from where the transform says, bilinear; black outside.

    Args:
        image: float32 `(height, width, 3)`.
        transform: float32 `(8,)`: the pixel at (x, y) is taken from
            `((t0 x + t1 y + t2) / k, (t3 x + t4 y + t5) / k)`, k = t6 x + t7 y + 1.
    """
    moved = tf.raw_ops.ImageProjectiveTransformV3(
        images=image[None],
        transforms=transform[None],
        output_shape=tf.constant([image.shape[0], image.shape[1]]),
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )
    return tf.ensure_shape(moved[0], image.shape)


def homography(points: tf.Tensor, taken_from: tf.Tensor) -> tf.Tensor:
    """Returns the transform that brings four points to four others, float32 `(8,)`.

    Args:
        points: `(4, 2)` of x and y in the result.
        taken_from: `(4, 2)` in the image.
    """
    x, y = points[:, 0], points[:, 1]
    one, zero = tf.ones(4), tf.zeros(4)
    u, v = taken_from[:, 0], taken_from[:, 1]
    rows = [
        tf.stack([x, y, one, zero, zero, zero, -u * x, -u * y], axis=1),
        tf.stack([zero, zero, zero, x, y, one, -v * x, -v * y], axis=1),
    ]
    # In float32 the corners would miss by a pixel.
    matrix = tf.cast(tf.concat(rows, axis=0), tf.float64)
    right = tf.cast(tf.concat([u, v], axis=0), tf.float64)
    return tf.cast(tf.linalg.solve(matrix, right[:, None])[:, 0], tf.float32)
