"""LiteRT: an encoder as TensorFlow Lite computes it, in float32 or by 8-bit weights."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from vpr_tf.config import Preprocessing
from vpr_tf.extraction.engines import Forward, num_threads
from vpr_tf.extraction.engines.comparison import compared
from vpr_tf.extraction.engines.failures import natural_size, telling_failures
from vpr_tf.extraction.engines.model_bytes import check_format
from vpr_tf.extraction.errors import EncoderError
from vpr_tf.extraction.exported_encoder import ExportedEncoder
from vpr_tf.models.hidden_messages import hidden_messages


def computed_precision(encoder: Any, precision: str) -> str:
    """Returns the precision, if it is that of an export, float32 or int8.

    Raises:
        EncoderError: It is another, or the encoder is of a kind that cannot be
            computed.
    """
    check_format("LiteRT", encoder, "litert", any_keras=True)
    own: tuple[str, ...] = ("float32", "int8")
    if isinstance(encoder, ExportedEncoder):
        own = (encoder.preprocessing.precision,)
    if precision not in own:
        raise EncoderError(
            f"LiteRT computes this encoder in {' or '.join(own)}. Received: "
            f"{precision}. Set `evaluation.precision: {own[0]}`, or another engine."
        )
    return precision


def compile_forward(encoder: Any, preprocessing: Preprocessing) -> Forward:
    """Compiles an exported or converted encoder; see `engines`.

    Precision `int8` of a Keras encoder: 8-bit weights, and activations that are
    quantised on the way by the range of each image.
    """
    size = natural_size(preprocessing)
    if isinstance(encoder, ExportedEncoder):
        return forward_of(encoder.contents()[0], size)
    from vpr_tf.extraction.engines.tensorflow import frozen_function
    from vpr_tf.extraction.engines.tflite_conversion import to_tflite
    from vpr_tf.models import in_precision

    precision = preprocessing.precision
    model = to_tflite(frozen_function(in_precision(encoder, precision)), precision)
    return compared(forward_of(model, size), encoder, precision)


def forward_of(model: bytes, size: int) -> Forward:
    """Compiles the content of a `.tflite` file; `size`: see `natural_size`."""
    from ai_edge_litert.interpreter import Interpreter

    with hidden_messages():
        try:
            interpreter = Interpreter(model_content=model, num_threads=num_threads())
        except ValueError as error:
            raise EncoderError(
                f"LiteRT cannot compute this encoder: {error}"
            ) from error
    images_at = interpreter.get_input_details()[0]["index"]
    descriptors_at = interpreter.get_output_details()[0]["index"]
    lock = threading.Lock()
    ready: tuple[int, ...] = ()  # the shape that memory is allocated for

    def compute(images: np.ndarray) -> np.ndarray:
        nonlocal ready
        with lock:
            if ready != images.shape:
                ready = ()
                interpreter.resize_tensor_input(images_at, images.shape)
                with hidden_messages():
                    interpreter.allocate_tensors()
                ready = images.shape
            interpreter.set_tensor(images_at, images)
            interpreter.invoke()
            return interpreter.get_tensor(descriptors_at)

    return telling_failures(compute, size)
