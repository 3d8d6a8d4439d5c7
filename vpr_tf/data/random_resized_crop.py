"""Random crops of varying area and aspect, with torchvision's meaning."""

from __future__ import annotations

import math

import tensorflow as tf

_TRIES = 10
CROP_DRAWS = 2 * _TRIES + 2  # uniform numbers that `crop_window` takes
_LOG_RATIO = math.log(4 / 3)  # aspects from 3/4 to 4/3


def crop_window(
    height: tf.Tensor, width: tf.Tensor, min_area: float, uniform: tf.Tensor
) -> tf.Tensor:
    """Turns uniform numbers into the window of a random resized crop.

    The area is uniform in [min_area, 1] of the image and the aspect log-uniform in
    [3/4, 4/3]. The first of ten draws that fits is taken; if none fits, the largest
    central window with an allowed aspect.

    Args:
        height: Scalar int32.
        width: Scalar int32.
        min_area: Smallest area as a fraction of the image's.
        uniform: float32 `(CROP_DRAWS,)` in [0, 1).

    Returns:
        int32 `(top, left, height, width)`, inside the image.
    """
    heights, widths = _tried_sizes(height, width, min_area, uniform[2:])
    fits = (heights > 0) & (heights <= height) & (widths > 0) & (widths <= width)
    first = tf.argmax(fits)
    free = tf.stack([height - heights[first], width - widths[first]])
    corner = tf.cast(uniform[:2] * tf.cast(free + 1, tf.float32), tf.int32)
    drawn = tf.concat(
        [tf.minimum(corner, free), [heights[first], widths[first]]], axis=0
    )
    return tf.where(tf.reduce_any(fits), drawn, _central_window(height, width))


def _tried_sizes(
    height: tf.Tensor, width: tf.Tensor, min_area: float, uniform: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns heights and widths of all tries, some of which may not fit."""
    image_area = tf.cast(height, tf.float32) * tf.cast(width, tf.float32)
    area = image_area * (min_area + (1.0 - min_area) * uniform[:_TRIES])
    ratio = tf.exp(_LOG_RATIO * (2.0 * uniform[_TRIES:] - 1.0))
    return (
        tf.cast(tf.round(tf.sqrt(area / ratio)), tf.int32),
        tf.cast(tf.round(tf.sqrt(area * ratio)), tf.int32),
    )


def _central_window(height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """Returns the largest central window with an aspect in [3/4, 4/3]."""

    def at_most(side: tf.Tensor) -> tf.Tensor:
        longest = tf.round(tf.cast(side, tf.float32) * (4.0 / 3.0))
        return tf.maximum(tf.cast(longest, tf.int32), 1)

    window_height = tf.minimum(height, at_most(width))
    window_width = tf.minimum(width, at_most(height))
    return tf.stack(
        [
            (height - window_height) // 2,
            (width - window_width) // 2,
            window_height,
            window_width,
        ]
    )
