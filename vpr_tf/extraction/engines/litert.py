"""LiteRT: an encoder as TensorFlow Lite computes it, in float32 or by 8-bit weights."""

from __future__ import annotations

import os
import threading
from typing import Any

import numpy as np

from vpr_tf.config import Preprocessing
from vpr_tf.extraction.engines import Forward
from vpr_tf.extraction.errors import EncoderError
from vpr_tf.models.hidden_messages import hidden_messages

_SMALLEST_COSINE = 0.95


def compile_forward(encoder: Any, preprocessing: Preprocessing) -> Forward:
    """Converts a Keras encoder, and compiles it for images of all sizes.

    Args:
        encoder: A `GeoLocalizationNet` or any other Keras model.
        preprocessing: Of its precisions `float32` and `int8`: 8-bit weights, and
            activations that are quantised on the way by the range of each image.

    Raises:
        EncoderError: The encoder cannot be converted, or not to this precision.
    """
    import keras

    from vpr_tf.extraction.engines.tensorflow import as_forward, frozen_function
    from vpr_tf.extraction.engines.tflite_conversion import to_tflite
    from vpr_tf.models import in_precision

    precision = preprocessing.precision
    if precision not in ("float32", "int8"):
        raise EncoderError(
            f"LiteRT computes in float32 or int8. Received: {precision}. Set "
            "`evaluation.precision`, or another `evaluation.engine`."
        )
    if not isinstance(encoder, keras.Model):
        raise EncoderError(
            "LiteRT (`evaluation.precision: int8`, `evaluation.engine: litert`) needs "
            "a Keras encoder (a run folder, a .keras file or the config's own). "
            f"Received: {type(encoder).__name__}"
        )
    frozen = frozen_function(in_precision(encoder, precision))
    forward = forward_of(to_tflite(frozen, precision))
    if precision == "float32":
        return forward
    return _checked(forward, as_forward(lambda images: frozen(images)[0]))


def forward_of(model: bytes) -> Forward:
    """Compiles the content of a `.tflite` file."""
    from ai_edge_litert.interpreter import Interpreter

    cores = len(os.sched_getaffinity(0))
    with hidden_messages():
        interpreter = Interpreter(model_content=model, num_threads=cores)
    images_at = interpreter.get_input_details()[0]["index"]
    descriptors_at = interpreter.get_output_details()[0]["index"]
    lock = threading.Lock()

    def forward(images: Any) -> np.ndarray:
        images = np.asarray(images, np.float32)
        with lock:
            shape = interpreter.get_input_details()[0]["shape"]
            if tuple(shape) != images.shape:
                interpreter.resize_tensor_input(images_at, images.shape)
                interpreter.allocate_tensors()
            interpreter.set_tensor(images_at, images)
            interpreter.invoke()
            return interpreter.get_tensor(descriptors_at)

    return forward


def _checked(forward: Forward, exact: Forward) -> Forward:
    """Compares one image of each size: 8 bits also drop the checks inside layers."""
    checked_sizes: set[tuple[int, ...]] = set()

    def checked(images: Any) -> np.ndarray:
        descriptors = forward(images)
        size = tuple(images.shape[1:3])
        if size not in checked_sizes:
            _check_alike(descriptors[0], exact(images[:1])[0])
            checked_sizes.add(size)
        return descriptors

    return checked


def _check_alike(descriptor: np.ndarray, exact: np.ndarray) -> None:
    cosine = float(descriptor @ exact)
    if not cosine >= _SMALLEST_COSINE:
        raise EncoderError(
            "8-bit weights change the descriptors of this encoder too much: the cosine "
            f"with those of float32 must be at least {_SMALLEST_COSINE}. Received: "
            f"{cosine:.3f}. Use `evaluation.precision: float32`."
        )
