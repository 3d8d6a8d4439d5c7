"""Keras's own checks of a layer, imported in this one place.

`keras.src` is not public API; a Keras release that moves it breaks this file alone.
"""

import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.src.testing import TestCase


def run_layer_test(layer_cls: type, init_kwargs: dict[str, Any], **kwargs: Any) -> None:
    """Checks building, serialisation, symbolic and eager calls, mixed precision and
    a training step of a layer, see `keras.src.testing.TestCase.run_layer_test`."""
    with warnings.catch_warnings():
        # The check trains on a generator, which Keras itself warns about.
        warnings.filterwarnings("ignore", "`shuffle=True` was passed")
        # And it trains layers without weights too.
        warnings.filterwarnings("ignore", "The model does not have any trainable")
        TestCase().run_layer_test(layer_cls, init_kwargs, **kwargs)


def check_saving(
    layer: keras.layers.Layer, inputs: np.ndarray, folder: Path, sizes: bool = True
) -> None:
    """Checks `.keras` and SavedModel, both with other images than it was made of.

    Args:
        layer: The layer, whose weights get values that no initializer gives.
        inputs: Feature maps `(batch, height, width, channels)` or tokens.
        folder: Where files go.
        sizes: Whether height and width are left open.
    """
    shape = inputs.shape[1:]
    if sizes and len(shape) == 3:
        shape = (None, None, shape[-1])
    images = keras.Input(shape)
    model = keras.Model(images, layer(images))
    rng = np.random.default_rng(5)
    model.set_weights([rng.normal(w, 0.1) for w in model.get_weights()])
    model.save(folder / "layer.keras")
    loaded = keras.saving.load_model(folder / "layer.keras")
    assert type(loaded.layers[-1]) is type(layer)
    assert loaded.layers[-1].get_config() == layer.get_config()
    model.export(folder / "exported", verbose=False)
    served = tf.saved_model.load(str(folder / "exported"))
    open_sides = None in shape
    for x in (inputs, inputs[:1, 1:, :-1] if open_sides else inputs[:1]):
        expected = model(x)
        np.testing.assert_array_equal(loaded(x), expected)
        # The graph rounds in another order, in units of the largest value.
        atol = 1e-6 * max(1, np.abs(expected).max())
        np.testing.assert_allclose(served.serve(x), expected, rtol=1e-5, atol=atol)


def check_gradients_in_float16(layer_cls: type, shape: tuple[int, ...], **kwargs: Any):
    """Checks that gradients under mixed_float16 are finite, and not all zero.

    One of the images is random, one zero everywhere, and one zero in most places.
    """
    rng = np.random.default_rng(0)
    x = np.maximum(rng.standard_normal((3, *shape)), 0).astype("float16")
    x[1] = 0
    x[2, 1:] = 0
    x = tf.constant(x)
    layer = layer_cls(dtype="mixed_float16", **kwargs)
    with tf.GradientTape() as tape:
        tape.watch(x)
        outputs = layer(x)
        assert outputs.dtype == tf.float16
        weights = rng.standard_normal(outputs.shape)
        total = tf.reduce_sum(tf.cast(outputs, "float32") * weights)
    variables = [variable.value for variable in layer.trainable_variables]
    gradients = tape.gradient(total, [x, *variables])
    assert {variable.dtype for variable in layer.variables} <= {"float32"}
    for gradient in gradients:
        assert np.isfinite(gradient).all()
    assert np.abs(gradients[0][0]).max() > 0
