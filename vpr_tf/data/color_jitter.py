"""Colour jitter with the values of torchvision's, inside the graph.

Images are float32 in [0, 1], of shape `(height, width, 3)`, and so are the results.
"""

from __future__ import annotations

import tensorflow as tf

from vpr_tf.config import AugmentationConfig

_GREY_WEIGHTS = (0.2989, 0.587, 0.114)


def adjust_brightness(image: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """Multiplies all channels by `factor`."""
    return tf.minimum(image * factor, 1.0)


def adjust_contrast(image: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """Blends with the mean grey level of the whole image."""
    mean = tf.tensordot(tf.reduce_mean(image, [0, 1]), _GREY_WEIGHTS, 1)
    return tf.clip_by_value(image * factor + (1.0 - factor) * mean, 0.0, 1.0)


def adjust_saturation(image: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """Blends each pixel with its grey level."""
    grey = tf.tensordot(image, _GREY_WEIGHTS, 1)[..., tf.newaxis]
    return tf.clip_by_value(image * factor + (1.0 - factor) * grey, 0.0, 1.0)


def adjust_hue(image: tf.Tensor, shift: tf.Tensor) -> tf.Tensor:
    """Turns the hue by `shift` turns, in [-0.5, 0.5], in HSV space."""
    return tf.image.adjust_hue(image, shift)


def color_jitter(image: tf.Tensor, factors: tf.Tensor, order: tf.Tensor) -> tf.Tensor:
    """Applies the four operations one after another.

    Args:
        image: float32 in [0, 1], shape `(height, width, 3)`.
        factors: float32 `(4,)` of brightness, contrast, saturation and hue.
        order: Permutation of 0 to 3, int32 `(4,)`.
    """
    operations = (adjust_brightness, adjust_contrast, adjust_saturation, adjust_hue)
    for step in range(4):
        image = tf.switch_case(
            order[step],
            [
                lambda image=image, operation=operation, index=index: operation(
                    image, factors[index]
                )
                for index, operation in enumerate(operations)
            ],
        )
    return image


def draw_jitter(
    config: AugmentationConfig, seed: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Draws the factors and the order of the operations of one image.

    Args:
        config: Strengths of the jitter.
        seed: int64 `(2,)`.

    Returns:
        `factors` and `order` as `color_jitter` takes them.
    """
    uniform = tf.random.stateless_uniform([8], seed, alg="philox")
    strengths = [config.brightness, config.contrast, config.saturation, config.hue]
    # Factors are never negative: a strength above 1 reaches down to 0.
    low = [max(0.0, 1.0 - strength) for strength in strengths[:3]] + [-config.hue]
    high = [1.0 + strength for strength in strengths[:3]] + [config.hue]
    factors = tf.constant(low) + uniform[:4] * (tf.constant(high) - tf.constant(low))
    return factors, tf.argsort(uniform[4:])
