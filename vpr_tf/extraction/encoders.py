"""What extraction needs of an encoder."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from vpr_tf.config import Preprocessing
from vpr_tf.extraction.errors import EncoderError

_ANY_SIZE = 224  # pixels of the image that shows how long a function's descriptors are


class Encoder(Protocol):
    """A Keras model or a loaded SavedModel.

    It may have `descriptor_dim`, the length of a descriptor, and `fingerprint`.
    """

    def __call__(self, images: Any, training: bool = False) -> Any:
        """Maps `(batch, height, width, 3)` in [0, 1] to unit descriptors."""


class FunctionEncoder:
    """A function of images as an encoder.

    Args:
        function: Maps float32 tensors `(batch, height, width, 3)` in [0, 1] to
            descriptors `(batch, dim)`; it is called eagerly.

    Attributes:
        fingerprint: Another one for each: what a function computes is not known, so
            that its descriptors are never taken for those of another.
    """

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._function = function
        self.fingerprint = f"function {uuid.uuid4()}"

    def __call__(self, images: Any, training: bool = False) -> np.ndarray:
        """See `Encoder`."""
        return np.asarray(self._function(images), np.float32)


def is_keras_model(encoder: Any) -> bool:
    """Whether it is a Keras model; Keras is not imported: who has one, has done so."""
    keras = sys.modules.get("keras")
    return keras is not None and isinstance(encoder, keras.Model)


def as_encoder(encoder: Any) -> Any:
    """Returns an encoder, or a function as one.

    Raises:
        EncoderError: It cannot be called.
    """
    known = is_keras_model(encoder) or isinstance(encoder, FunctionEncoder)
    if known or hasattr(encoder, "descriptor_dim"):
        return encoder
    if callable(encoder):
        return FunctionEncoder(encoder)
    raise EncoderError(
        "An encoder must be a Keras model, a SavedModel or a function of images. "
        f"Received: {type(encoder).__name__}"
    )


def descriptor_dim_of(encoder: Any, preprocessing: Preprocessing) -> int:
    """Returns the length of an encoder's descriptors.

    Raises:
        EncoderError: It gives something else.
    """
    known = getattr(encoder, "descriptor_dim", None)
    if known is not None:
        return int(known)
    import keras

    size = _ANY_SIZE if preprocessing.resize == "native" else preprocessing.image_size
    grey = np.full((1, size, size, 3), 0.5, np.float32)
    shape = tuple(np.shape(encoder(keras.ops.convert_to_tensor(grey), training=False)))
    if len(shape) != 2 or shape[0] != 1:
        raise EncoderError(
            "An encoder must give descriptors of shape (num_images, dim). Received for "
            f"one image of {size}x{size} pixels: {shape}"
        )
    return int(shape[1])


def check_image_size(encoder: Any, preprocessing: Preprocessing) -> None:
    """Checks that images are prepared for an encoder of one image size.

    Raises:
        EncoderError: They have another.
    """
    fixed = fixed_image_size(encoder)
    size = preprocessing.image_size
    if fixed and (preprocessing.resize != "square" or fixed != (size, size)):
        height, width = fixed
        raise EncoderError(
            f"The encoder takes images of {height}x{width} only. Set evaluation.resize="
            f"square and evaluation.image_size={height}. Received: "
            f"{preprocessing.resize}, {size}"
        )


def natural_preprocessing(encoder: Any) -> Preprocessing:
    """Returns what keeps the size of images, or gives them the only one that fits."""
    fixed = fixed_image_size(encoder)
    return Preprocessing("square", fixed[0]) if fixed else Preprocessing()


def fixed_image_size(encoder: Any) -> tuple[int, int] | None:
    """Returns height and width of the images that a Keras model takes; None for any."""
    if not is_keras_model(encoder):
        return None
    try:
        shape = encoder.input_shape
    except AttributeError:  # not built yet
        return None
    height, width = shape[1:3] if len(shape) == 4 else (None, None)
    return None if height is None or width is None else (height, width)
