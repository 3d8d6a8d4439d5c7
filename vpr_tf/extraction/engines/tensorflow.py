"""TensorFlow: an encoder as a graph, on a CPU with its weights as constants."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

# Not public, and the only way to a graph whose weights are constants.
from tensorflow.python.framework.convert_to_constants import (
    convert_variables_to_constants_v2,
)

from vpr_tf.config import Preprocessing
from vpr_tf.extraction.encoders import Encoder, FunctionEncoder
from vpr_tf.extraction.engines import Forward
from vpr_tf.extraction.errors import EncoderError, ImageSizeError
from vpr_tf.extraction.exported_encoder import ENGINE_OF_FORMAT, ExportedEncoder
from vpr_tf.models import in_precision
from vpr_tf.models.hidden_messages import hidden_messages

_IMAGES = tf.TensorSpec((None, None, None, 3), tf.float32)
# A frozen graph is a second copy of the weights, and may have 2 GB at most.
_MOST_FROZEN_WEIGHTS = 100_000_000


def computed_precision(encoder: Encoder, precision: str) -> str:
    """Returns the precision: TensorFlow has all of them.

    Raises:
        EncoderError: The encoder was exported for another engine.
    """
    if isinstance(encoder, ExportedEncoder):
        engine = ENGINE_OF_FORMAT[encoder.format]
        raise EncoderError(
            f"TensorFlow computes no export of the format {encoder.format}. Leave out "
            f"`engine`, or take {engine}."
        )
    return precision


def compile_forward(encoder: Encoder, preprocessing: Preprocessing) -> Forward:
    """Compiles an encoder for images of all sizes.

    On a CPU a Keras encoder is frozen: with its weights as constants, batch norms are
    folded into convolutions. Weights that change later are not seen then.

    Args:
        encoder: A `GeoLocalizationNet`, or any other encoder, whose precision is its
            own.
        preprocessing: Its precision is that of the computation.
    """
    if isinstance(encoder, FunctionEncoder):
        return encoder
    encoder = in_precision(encoder, preprocessing.precision)
    if _is_worth_freezing(encoder):
        frozen = frozen_function(encoder)
        return as_forward(lambda images: frozen(images)[0])
    return as_forward(_function(encoder))


def uncompiled_forward(encoder: Encoder, preprocessing: Preprocessing) -> Forward:
    """Returns an encoder that is called as it is; see `compile_forward`.

    Descriptors differ in the last digits from those of the compiled encoder.
    """
    if isinstance(encoder, FunctionEncoder):
        return encoder
    encoder = in_precision(encoder, preprocessing.precision)
    return as_forward(lambda images: encoder(images, training=False))


def frozen_function(encoder: Encoder) -> Any:
    """Returns a Keras encoder as a concrete function whose weights are constants.

    It maps images to a list of one tensor, the descriptors.
    """
    concrete = _function(encoder).get_concrete_function()
    with hidden_messages():
        return convert_variables_to_constants_v2(concrete)


def _function(encoder: Encoder) -> Any:
    return tf.function(
        lambda images: encoder(images, training=False), input_signature=[_IMAGES]
    )


def _is_worth_freezing(encoder: Encoder) -> bool:
    return (
        isinstance(encoder, keras.Model)
        and encoder.count_params() <= _MOST_FROZEN_WEIGHTS
        and not tf.config.list_physical_devices("GPU")
    )


def as_forward(function: Callable[[tf.Tensor], Any]) -> Forward:
    """Returns a function of tensors as one of arrays, with its errors of image size."""

    def forward(images: Any) -> np.ndarray:
        try:
            return np.asarray(function(tf.convert_to_tensor(images, tf.float32)))
        # A graph of images of any size learns only now that one is too small, and
        # a layer that is called says so by itself.
        except (tf.errors.InvalidArgumentError, ValueError) as error:
            raise ImageSizeError.of(images, _reason(str(error))) from error

    return forward


def _reason(text: str) -> str:
    rule = re.search(r"assertion failed: \[(.*?)\]|\x1b\[1m(.*?)\x1b\[0m", text, re.S)
    if rule:
        return rule[1] or rule[2]
    return next(iter(text.strip().splitlines()), "")
