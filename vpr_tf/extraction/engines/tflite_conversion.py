"""From a graph of TensorFlow to the content of a `.tflite` file."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from vpr_tf.extraction.errors import EncoderError
from vpr_tf.models.hidden_messages import hidden_messages


def to_tflite(frozen: Any, precision: str) -> bytes:
    """Converts a graph whose weights are constants.

    Args:
        frozen: Of `frozen_function`: with a trackable object the converter makes
            variables of the weights.
        precision: `float32`; `mixed_float16` for weights of half the size; or `int8`
            for 8-bit weights and activations that are quantised on the way by the
            range of each image.

    Raises:
        EncoderError: LiteRT lacks an operation of it.
    """
    with hidden_messages():
        converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen])
        if precision != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if precision == "mixed_float16":
            converter.target_spec.supported_types = [tf.float16]
        try:
            return converter.convert()
        except Exception as error:  # the converter's own types are private
            raise EncoderError(
                f"LiteRT cannot compute this encoder in {precision}; use "
                "`evaluation.engine: tensorflow` and `evaluation.precision: float32`. "
                f"Cause: {str(error)[:300]}"
            ) from error
