"""Brightness, contrast, saturation and hue, with torchvision's values."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import tensorflow as tf

from vpr_tf.config.color_jitter import JitterStrengths

_GREY_WEIGHTS = (0.2989, 0.587, 0.114)
_ORDERS = list(itertools.permutations(range(4)))
JITTER_DRAWS = 5  # uniform numbers that `jitter_parameters` takes


def adjust_brightness(image: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """Multiplies all channels by `factor`."""
    return tf.minimum(image * factor, 1.0)


def adjust_contrast(image: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """Blends with the mean grey level of the whole image."""
    shape = tf.shape(image)
    # Sums over rows first: whole rows of interleaved channels add up fastest, and
    # partial sums keep float32 accurate.
    rows = tf.reshape(image, [shape[0], shape[1] * 3])
    weights = tf.tile(tf.constant(_GREY_WEIGHTS), [shape[1]])
    pixels = tf.cast(shape[0] * shape[1], tf.float32)
    mean = tf.reduce_sum(tf.reduce_sum(rows, axis=0) * weights) / pixels
    return tf.clip_by_value(image * factor + (1.0 - factor) * mean, 0.0, 1.0)


def adjust_saturation(image: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """Blends each pixel with its grey level."""
    red, green, blue = tf.split(image, 3, axis=-1)
    grey = sum(w * c for w, c in zip(_GREY_WEIGHTS, (red, green, blue), strict=True))
    return tf.clip_by_value(image * factor + (1.0 - factor) * grey, 0.0, 1.0)


def adjust_hue(image: tf.Tensor, shift: tf.Tensor) -> tf.Tensor:
    """Turns the hue by `shift` turns, in [-0.5, 0.5], in HSV space.

    The way to HSV and back has a closed form: with the turned hue h in sixths of a
    turn, a channel is `value - chroma * clip(min(k, 4 - k), 0, 1)`, where
    `k = (n + h) mod 6` and n is 5, 3, 1 for red, green, blue.
    """
    red, green, blue = tf.split(image, 3, axis=-1)
    value = tf.maximum(tf.maximum(red, green), blue)
    chroma = value - tf.minimum(tf.minimum(red, green), blue)
    scale = 1.0 / tf.where(chroma > 0, chroma, 1.0)
    hue = tf.where(
        tf.equal(value, red),
        (green - blue) * scale,
        tf.where(
            tf.equal(value, green),
            2.0 + (blue - red) * scale,
            4.0 + (red - green) * scale,
        ),
    )
    k = tf.constant([5.0, 3.0, 1.0]) + (hue + 6.0 * shift)
    k -= 6.0 * tf.floor(k / 6.0)
    return value - chroma * tf.clip_by_value(tf.minimum(k, 4.0 - k), 0.0, 1.0)


def color_jitter(
    image: tf.Tensor, factors: tf.Tensor, order: tf.Tensor, *, scale: float = 1.0
) -> tf.Tensor:
    """Applies the four operations one after another.

    Brightness is no pass of its own: the operation after it, or the last one,
    multiplies as well. With a static shape each operation is one compiled loop.

    Args:
        image: float32 of shape `(height, width, 3)`.
        factors: float32 `(4,)` of brightness, contrast, saturation and hue.
        order: Permutation of 0 to 3, int32 `(4,)`.
        scale: Multiplier that brings `image` to [0, 1].
    """
    steps = _COMPILED_STEPS if image.shape.is_fully_defined() else _STEPS
    brightness_at = tf.argmin(order, output_type=tf.int32)
    others = tf.gather(order, tf.constant([1, 2, 3]) - _before(brightness_at))
    for step in range(3):
        before = tf.where(tf.equal(brightness_at, step), factors[0], 1.0)
        after = tf.where(tf.equal(brightness_at, 3), factors[0], 1.0)
        arguments = (
            image,
            factors[others[step]],
            before * scale if step == 0 else before,
            after if step == 2 else tf.constant(1.0),
        )
        image = tf.switch_case(
            others[step] - 1, [_bind(operation, arguments) for operation in steps]
        )
    return image


def jitter_parameters(
    config: JitterStrengths, uniform: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Turns uniform numbers into the factors and the order of one image's jitter.

    Factors are uniform in [1 - strength, 1 + strength], never below 0, the hue shift
    in [-hue, hue]; all orders are equally likely.

    Args:
        config: Strengths of the jitter.
        uniform: float32 `(JITTER_DRAWS,)` in [0, 1).

    Returns:
        `factors` and `order` as `color_jitter` takes them.
    """
    strengths = [config.brightness, config.contrast, config.saturation]
    low = tf.constant([max(0.0, 1.0 - s) for s in strengths] + [-config.hue])
    high = tf.constant([1.0 + s for s in strengths] + [config.hue])
    order = tf.cast(uniform[4] * len(_ORDERS), tf.int32)
    return low + uniform[:4] * (high - low), tf.constant(_ORDERS)[order]


def _before(brightness_at: tf.Tensor) -> tf.Tensor:
    """Returns int32 `(3,)`: 1 where an operation precedes brightness, else 0."""
    return tf.cast(tf.range(3) < brightness_at, tf.int32)


def _bind(
    operation: Callable[..., tf.Tensor], arguments: tuple[tf.Tensor, ...]
) -> Callable[[], tf.Tensor]:
    return lambda: operation(*arguments)


def _step(adjust: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]) -> Callable:
    """Returns an operation with brightness before and after it."""

    def step(
        image: tf.Tensor, factor: tf.Tensor, before: tf.Tensor, after: tf.Tensor
    ) -> tf.Tensor:
        adjusted = adjust(adjust_brightness(image, before), factor)
        return adjust_brightness(adjusted, after)

    return step


_COMPILED_STEPS = [
    tf.function(_step(adjust), jit_compile=True, autograph=False)
    for adjust in (adjust_contrast, adjust_saturation, adjust_hue)
]
# Compiling for every size of image would take longer than it saves. Not compiled,
# TensorFlow's own kernel for hue is the faster one.
_STEPS = [
    _step(adjust)
    for adjust in (adjust_contrast, adjust_saturation, tf.image.adjust_hue)
]
