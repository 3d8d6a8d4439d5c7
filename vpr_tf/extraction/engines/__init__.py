"""What computes descriptors: an encoder as a function of images, by name of engine."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

from vpr_tf.config import Preprocessing
from vpr_tf.extraction.errors import EncoderError

# Maps float32 images `(batch, height, width, 3)` in [0, 1], an array or a tensor, to a
# float32 array `(batch, descriptor_dim)`.
Forward = Callable[[Any], np.ndarray]

ENGINES = ("tensorflow", "litert")


def check_engine(engine: str) -> None:
    """Checks the name of an engine.

    Raises:
        EncoderError: There is no such engine.
    """
    if engine not in ENGINES:
        raise EncoderError(
            f"`engine` must be one of {', '.join(ENGINES)}. Received: {engine!r}"
        )


def compile_forward(engine: str, encoder: Any, preprocessing: Preprocessing) -> Forward:
    """Compiles an encoder for images of all sizes.

    Args:
        engine: One of `ENGINES`. `tensorflow` leaves int8 to `litert`.
        encoder: A `GeoLocalizationNet`, or any other encoder. Weights that change
            later may not be seen.
        preprocessing: Its precision is that of the computation.

    Raises:
        EncoderError: There is no such engine, or it cannot compute this encoder in
            this precision.
    """
    check_engine(engine)
    if engine == "tensorflow" and preprocessing.precision == "int8":
        engine = "litert"
    module = importlib.import_module(f"{__name__}.{engine}")
    return module.compile_forward(encoder, preprocessing)
