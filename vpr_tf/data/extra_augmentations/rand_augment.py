"""A few random changes of one strength."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from vpr_tf.config.augmentations import RandAugment
from vpr_tf.data.color_jitter import (
    adjust_brightness,
    adjust_contrast,
    adjust_saturation,
)
from vpr_tf.data.extra_augmentations.blurs import sharpen
from vpr_tf.data.extra_augmentations.colours import equalize, solarize
from vpr_tf.data.extra_augmentations.draws import Draws, compiled
from vpr_tf.data.extra_augmentations.geometry import rotate, shear

# At magnitude 1, as in the paper.
_MOST_ANGLE, _MOST_SHEAR, _MOST_STEP, _MOST_BLEND = math.radians(30), 0.3, 0.45, 0.9
_MOST_BITS = 4.0

_brightness, _contrast, _saturation = (
    compiled(adjust)
    for adjust in (adjust_brightness, adjust_contrast, adjust_saturation)
)

# Image and a strength from -1 to 1.
Change = Callable[[tf.Tensor, Any], tf.Tensor]


@compiled
def _posterize(image: tf.Tensor, strength: Any) -> tf.Tensor:
    steps = tf.pow(2.0, 8.0 - tf.round(_MOST_BITS * tf.abs(strength)))
    kept = tf.floor(image * 255.0 / 256.0 * steps) / steps * 256.0 / 255.0
    return tf.where(steps > 255.0, image, kept)


def _moved(image: tf.Tensor, strength: Any, *, axis: int) -> tf.Tensor:
    """Moves by whole pixels; black comes in."""
    size = image.shape[axis]
    most = math.ceil(_MOST_STEP * size)
    edges = [[most, most] if a == axis else [0, 0] for a in range(3)]
    first = most - tf.cast(tf.round(strength * _MOST_STEP * size), tf.int32)
    begin = [first if a == axis else 0 for a in range(3)]
    return tf.ensure_shape(
        tf.slice(tf.pad(image, edges), begin, image.shape), image.shape
    )


def _solarize(image: tf.Tensor, strength: Any) -> tf.Tensor:
    return solarize(image, 1.0 - tf.abs(strength))


def _equalize(image: tf.Tensor, strength: Any) -> tf.Tensor:
    return tf.where(tf.equal(strength, 0.0), image, equalize(image))


CHANGES: tuple[Change, ...] = (
    lambda image, strength: image,
    lambda image, strength: rotate(image, strength * _MOST_ANGLE),
    lambda image, strength: shear(image, strength * _MOST_SHEAR),
    lambda image, strength: _moved(image, strength, axis=1),
    lambda image, strength: _moved(image, strength, axis=0),
    lambda image, strength: _brightness(image, 1.0 + strength * _MOST_BLEND),
    lambda image, strength: _contrast(image, 1.0 + strength * _MOST_BLEND),
    lambda image, strength: _saturation(image, 1.0 + strength * _MOST_BLEND),
    lambda image, strength: sharpen(image, 1.0 + strength * _MOST_BLEND),
    _solarize,
    _posterize,
    _equalize,
)


def rand_augment(config: RandAugment, image: tf.Tensor, draws: Draws) -> tf.Tensor:
    """Does `num_ops` changes one after another, each either way."""
    for _ in range(config.num_ops):
        chosen = draws.index(len(CHANGES))
        sign = tf.where(draws.uniform() < 0.5, -1.0, 1.0)
        image = tf.switch_case(
            chosen,
            [_bound(change, image, sign * config.magnitude) for change in CHANGES],
        )
    return image


def _bound(change: Change, image: tf.Tensor, strength: Any) -> Callable[[], tf.Tensor]:
    return lambda: change(image, strength)
