"""What computes descriptors: an encoder as a function of images, by name of engine.

Each engine is a module with two functions. `computed_precision(encoder, wanted)` gives
the precision that it computes in, or raises `EncoderError` with what it can instead.
`compile_forward(encoder, preprocessing)` gives the `Forward`. They import TensorFlow
only where an encoder is one of Keras.
"""

from __future__ import annotations

import dataclasses
import difflib
import importlib.util
import os
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from vpr_tf.config import ENGINES as LOCAL_ENGINES
from vpr_tf.config import Preprocessing
from vpr_tf.extraction.errors import EncoderError
from vpr_tf.extraction.exported_encoder import ENGINE_OF_FORMAT, ExportedEncoder

# Maps float32 images `(batch, height, width, 3)` in [0, 1], an array or a tensor, to a
# float32 array `(batch, descriptor_dim)`.
Forward = Callable[[Any], np.ndarray]


REMOTE = "remote"
ENGINES = (*LOCAL_ENGINES, REMOTE)
# Of engines that come with an extra: the package, and the extra.
_PACKAGES = {
    "onnxruntime": ("onnxruntime", "onnx"),
    "openvino": ("openvino", "openvino"),
}


def check_engine(engine: str) -> None:
    """Checks the name of an engine.

    Raises:
        EncoderError: There is no such engine.
    """
    if engine not in ENGINES:
        near = difflib.get_close_matches(str(engine), ENGINES, 1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise EncoderError(
            f"`engine` must be one of {', '.join(ENGINES)}. Received: {engine!r}{hint}"
        )


def check_installed(engine: str) -> None:
    """Checks the name of an engine, and that its package is here.

    Raises:
        EncoderError: There is no such engine, or it is not installed.
    """
    check_engine(engine)
    package, extra = _PACKAGES.get(engine, ("numpy", ""))
    if importlib.util.find_spec(package) is None:
        raise EncoderError(
            f"The engine {engine} is not installed. Install it by "
            f"`pip install 'vpr_tf[{extra}]'`."
        )


def default_engine(encoder: Any) -> str:
    """Returns the engine of an encoder for which none was named."""
    if isinstance(encoder, ExportedEncoder):
        return ENGINE_OF_FORMAT[encoder.format]
    return "tensorflow"


def possible_preprocessing(
    engine: str, encoder: Any, preprocessing: Preprocessing
) -> Preprocessing:
    """Returns the preprocessing with the precision that an engine computes in here.

    Another than is wanted where this CPU lacks the instructions.

    Raises:
        EncoderError: There is no such engine, it is not installed, or it cannot compute
            this encoder in any precision like the wanted one.
    """
    check_installed(engine)
    precision = _module(engine, preprocessing).computed_precision(
        encoder, preprocessing.precision
    )
    return dataclasses.replace(preprocessing, precision=precision)


def compile_forward(
    engine: str,
    encoder: Any,
    preprocessing: Preprocessing,
    encoder_url: str | None = None,
) -> Forward:
    """Compiles an encoder for images of all sizes.

    Args:
        engine: One of `ENGINES`. `tensorflow` leaves int8 to `litert`.
        encoder: A `GeoLocalizationNet`, or any other encoder. Weights that change
            later may not be seen.
        preprocessing: Its precision, or what is possible of it, is that of the
            computation.
        encoder_url: Where the encoder is served, for `remote`.

    Raises:
        EncoderError: There is no such engine, it is not installed, or it cannot compute
            this encoder in this precision.
    """
    preprocessing = possible_preprocessing(engine, encoder, preprocessing)
    module = _module(engine, preprocessing)
    if engine != REMOTE:
        return module.compile_forward(encoder, preprocessing)
    if encoder_url is None:
        raise EncoderError(
            "The engine remote needs the address of a server. Pass --encoder-url URL, "
            "in Python `with vpr_tf.using_engine(encoder_url=...)`."
        )
    local = compile_forward(default_engine(encoder), encoder, preprocessing)
    return module.compile_forward(preprocessing, local, encoder_url)


def num_threads() -> int:
    """Returns how many cores this process may use.

    `OMP_NUM_THREADS` says it where several processes share a machine.
    """
    cores = len(os.sched_getaffinity(0))
    told = os.environ.get("OMP_NUM_THREADS", "")
    return min(cores, int(told)) if told.isdecimal() and int(told) else cores


def _module(engine: str, preprocessing: Preprocessing) -> ModuleType:
    if engine == "tensorflow" and preprocessing.precision == "int8":
        engine = "litert"
    return importlib.import_module(f"{__name__}.{engine}")
