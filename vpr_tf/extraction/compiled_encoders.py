"""An encoder as the fastest function of images that this machine has for it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

# Not public, and the only way to a graph whose weights are constants.
from tensorflow.python.framework.convert_to_constants import (
    convert_variables_to_constants_v2,
)

from vpr_tf.extraction.encoders import Encoder, FunctionEncoder
from vpr_tf.extraction.errors import EncoderError
from vpr_tf.models.hidden_messages import messages_hidden

Forward = Callable[[tf.Tensor], np.ndarray]

_IMAGES = tf.TensorSpec((None, None, None, 3), tf.float32)
# A frozen graph is a second copy of the weights, and may have 2 GB at most.
_MOST_FROZEN_WEIGHTS = 100_000_000
_SMALLEST_COSINE = 0.95


def compile_encoder(encoder: Encoder, precision: str) -> Forward:
    """Compiles an encoder for images of all sizes.

    On a CPU a Keras encoder is frozen: with its weights as constants, batch norms are
    folded into convolutions. Weights that change later are not seen then.

    Args:
        encoder: A `GeoLocalizationNet` that computes in the wanted precision already,
            or any other encoder.
        precision: `int8` compiles a float32 encoder with 8-bit weights, and
            activations that are quantised on the way by the range of each image. Any
            other value leaves the precision to the encoder.

    Returns:
        A function from float32 `(batch, height, width, 3)` to an array
        `(batch, descriptor_dim)`.

    Raises:
        EncoderError: The encoder cannot be compiled for int8.
    """
    if precision == "int8":
        return _quantized(encoder)
    if isinstance(encoder, FunctionEncoder):
        return encoder
    if _is_worth_freezing(encoder):
        return _frozen(encoder)
    function = tf.function(
        lambda images: encoder(images, training=False), input_signature=[_IMAGES]
    )
    return lambda images: function(images).numpy()


def _is_worth_freezing(encoder: Encoder) -> bool:
    return (
        isinstance(encoder, keras.Model)
        and encoder.count_params() <= _MOST_FROZEN_WEIGHTS
        and not tf.config.list_physical_devices("GPU")
    )


def _frozen_function(encoder: Encoder) -> Any:
    function = tf.function(
        lambda images: encoder(images, training=False), input_signature=[_IMAGES]
    )
    concrete = function.get_concrete_function()
    with messages_hidden():
        return convert_variables_to_constants_v2(concrete)


def _frozen(encoder: Encoder) -> Forward:
    frozen = _frozen_function(encoder)
    return lambda images: frozen(images)[0].numpy()


def _to_tflite(frozen: Any) -> bytes:
    # Frozen: with a trackable object the converter makes variables of the weights.
    with messages_hidden():
        converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen])
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        try:
            return converter.convert()
        except Exception as error:  # the converter's own types are private
            raise EncoderError(
                "This encoder has operations that cannot be quantised; use "
                f"`evaluation.precision: float32`. Cause: {str(error)[:300]}"
            ) from error


def _quantized(encoder: Encoder) -> Forward:
    from ai_edge_litert.interpreter import Interpreter

    if not isinstance(encoder, keras.Model):
        raise EncoderError(
            "`evaluation.precision: int8` needs a Keras encoder (a run folder, a "
            ".keras file or the config's own); use float32. "
            f"Received: {type(encoder).__name__}"
        )
    frozen = _frozen_function(encoder)
    model = _to_tflite(frozen)
    cores = len(os.sched_getaffinity(0))
    with messages_hidden():
        interpreter = Interpreter(model_content=model, num_threads=cores)
    images_at = interpreter.get_input_details()[0]["index"]
    descriptors_at = interpreter.get_output_details()[0]["index"]
    lock = threading.Lock()

    def quantized(images: tf.Tensor) -> np.ndarray:
        shape = interpreter.get_input_details()[0]["shape"]
        if tuple(shape) != tuple(images.shape):
            interpreter.resize_tensor_input(images_at, images.shape)
            interpreter.allocate_tensors()
        interpreter.set_tensor(images_at, images.numpy())
        interpreter.invoke()
        return interpreter.get_tensor(descriptors_at)

    checked_sizes: set[tuple[int, ...]] = set()

    def forward(images: tf.Tensor) -> np.ndarray:
        with lock:
            descriptors = quantized(images)
            size = tuple(images.shape[1:3])
            if size not in checked_sizes:
                _check_quantized(descriptors[0], frozen(images[:1])[0].numpy()[0])
                checked_sizes.add(size)
            return descriptors

    return forward


def _check_quantized(descriptor: np.ndarray, exact: np.ndarray) -> None:
    """Compares one image of each size: 8 bits also drop the checks inside layers."""
    cosine = float(descriptor @ exact)
    if not cosine >= _SMALLEST_COSINE:
        raise EncoderError(
            "8-bit weights change the descriptors of this encoder too much: the cosine "
            f"with those of float32 must be at least {_SMALLEST_COSINE}. Received: "
            f"{cosine:.3f}. Use `evaluation.precision: float32`."
        )
