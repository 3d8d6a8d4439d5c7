"""Layers of Keras whose draws depend on the image's own seed."""

from __future__ import annotations

import inspect

import keras
import tensorflow as tf

from vpr_tf.config import ConfigError
from vpr_tf.config.augmentations import KERAS_PREFIX, KerasLayer
from vpr_tf.data.extra_augmentations.draws import Draws


class _SeedsOfImage(keras.random.SeedGenerator):
    """Gives a layer seeds of one image, instead of those of a variable."""

    def __init__(self, draws: Draws) -> None:  # no variable is made
        self._draws = draws

    def next(self, ordered: bool = True) -> tf.Tensor:
        del ordered
        return self._draws.next_seed()


def create_layer(config: KerasLayer) -> keras.layers.Layer:
    """Makes the layer that a config describes, for images in [0, 1].

    Raises:
        ConfigError: One of the arguments is unknown or impossible.
    """
    layer_class = getattr(keras.layers, config.layer)
    known = inspect.signature(layer_class).parameters
    arguments = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in config.arguments.items()
    }
    if "value_range" in known:
        arguments.setdefault("value_range", (0.0, 1.0))
    if "seed" in known:
        arguments["seed"] = 0  # never drawn from, see `apply_layer`
    arguments |= {"dtype": "float32", "data_format": "channels_last"}
    try:
        return layer_class(**arguments)
    except (TypeError, ValueError) as error:
        raise _refused(config, error) from error


def _refused(config: KerasLayer, error: Exception) -> ConfigError:
    name = f"{KERAS_PREFIX}{config.layer}"
    return ConfigError(f"`train.augmentation.extra` ({name}): {error}")


def apply_layer(layer: keras.layers.Layer, image: tf.Tensor, draws: Draws) -> tf.Tensor:
    """Applies a layer to one image, float32 `(height, width, 3)` in [0, 1]."""
    seeds = _SeedsOfImage(draws)
    for one in [layer, *layer._flatten_layers(include_self=False)]:
        one._get_seed_generator = lambda backend=None: seeds
    changed = layer(image[None], training=True)[0]
    return tf.clip_by_value(tf.ensure_shape(changed, image.shape), 0.0, 1.0)
