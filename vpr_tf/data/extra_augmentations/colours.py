"""Augmentations of colours and levels, and those of a JPEG file."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from vpr_tf.config.augmentations import (
    ColorJitter,
    Equalize,
    Grayscale,
    JpegArtefacts,
    Solarize,
)
from vpr_tf.data.color_jitter import (
    JITTER_DRAWS,
    adjust_saturation,
    color_jitter,
    jitter_parameters,
)
from vpr_tf.data.extra_augmentations.draws import Draws, compiled

_LEVELS = 256
_desaturated = compiled(adjust_saturation)


def random_jitter(config: ColorJitter, image: tf.Tensor, draws: Draws) -> tf.Tensor:
    """Jitters brightness, contrast, saturation and hue, in a random order."""
    uniform = draws.uniform(JITTER_DRAWS)
    return color_jitter(image, *jitter_parameters(config, uniform))


def grayscale(_config: Grayscale, image: tf.Tensor, _draws: Draws) -> tf.Tensor:
    """Drops the colours."""
    return _desaturated(image, tf.constant(0.0))


def random_solarize(config: Solarize, image: tf.Tensor, draws: Draws) -> tf.Tensor:
    """Inverts what is brighter than a level from `min_level` to white."""
    return solarize(image, draws.uniform(low=config.min_level))


@compiled
def solarize(image: tf.Tensor, level: Any) -> tf.Tensor:
    """Inverts what is brighter than a level."""
    return tf.where(image > level, 1.0 - image, image)


def random_equalize(_config: Equalize, image: tf.Tensor, _draws: Draws) -> tf.Tensor:
    """Equalizes the levels of the channels."""
    return equalize(image)


def equalize(image: tf.Tensor) -> tf.Tensor:
    """Spreads the 256 levels of each channel by how frequent they are.

    As Pillow's `ImageOps.equalize`.
    """
    levels = _levels_of_channels(image)
    counts = tf.math.bincount(
        tf.reshape(levels, [-1]), minlength=3 * _LEVELS, maxlength=3 * _LEVELS
    )
    tables = [_table(counts) for counts in tf.split(counts, 3)]
    return tf.gather(tf.concat(tables, axis=0), levels)


@compiled
def _levels_of_channels(image: tf.Tensor) -> tf.Tensor:
    """Returns int32 levels; those of green and blue come after those of red."""
    levels = tf.cast(tf.round(image * (_LEVELS - 1)), tf.int32)
    return levels + tf.constant([0, _LEVELS, 2 * _LEVELS])


def _table(counts: tf.Tensor) -> tf.Tensor:
    """Returns what each level of a channel becomes, by how often it occurs."""
    last = counts[tf.reduce_max(tf.where(counts > 0, tf.range(_LEVELS), 0))]
    step = (tf.reduce_sum(counts) - last) // (_LEVELS - 1)
    before = tf.cumsum(counts, exclusive=True)
    table = (before + step // 2) // tf.maximum(step, 1)
    table = tf.where(step > 0, table, tf.range(_LEVELS))  # one level alone stays
    table = tf.clip_by_value(table, 0, _LEVELS - 1)
    return tf.cast(table, tf.float32) / (_LEVELS - 1)


def jpeg_artefacts(config: JpegArtefacts, image: tf.Tensor, draws: Draws) -> tf.Tensor:
    """Encodes as JPEG of some quality and decodes again."""
    high = config.max_quality + 1.0
    quality = tf.cast(draws.uniform(low=config.min_quality, high=high), tf.int32)
    levels = _bytes(image)
    file = tf.raw_ops.EncodeJpegVariableQuality(
        images=levels, quality=tf.minimum(quality, config.max_quality)
    )
    decoded = tf.io.decode_jpeg(file, channels=3, dct_method="INTEGER_FAST")
    return tf.ensure_shape(tf.cast(decoded, tf.float32), image.shape) / (_LEVELS - 1)


@compiled
def _bytes(image: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.round(image * (_LEVELS - 1)), tf.uint8)
