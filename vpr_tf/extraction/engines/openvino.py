"""OpenVINO: an encoder as an ONNX graph or its own, in what precision the CPU has."""

from __future__ import annotations

import functools
import io
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from vpr_tf.config import Preprocessing
from vpr_tf.extraction.engines import Forward, num_threads
from vpr_tf.extraction.engines.comparison import compared
from vpr_tf.extraction.engines.failures import natural_size, telling_failures
from vpr_tf.extraction.engines.model_bytes import check_format, onnx_of
from vpr_tf.extraction.errors import EncoderError
from vpr_tf.extraction.exported_encoder import ExportedEncoder
from vpr_tf.extras import import_extra

_DEVICE = "CPU"
# A compiled transformer for each takes tens of megabytes.
_MOST_SIZES = 8
# What OpenVINO calls the precisions that not every CPU has.
_CAPABILITIES = {"mixed_bfloat16": "BF16", "mixed_float16": "FP16"}
# Stated for float32, too: by itself OpenVINO takes bfloat16 where the CPU has it.
_HINTS = {"mixed_bfloat16": "bf16", "mixed_float16": "f16"}


def computed_precision(encoder: Any, precision: str) -> str:
    """Returns the precision, or float32 where this CPU does not compute in it.

    Raises:
        EncoderError: It is int8 of an encoder that was not exported so, whose
            activations have to be calibrated on photos, or the encoder is of a kind
            that cannot be computed.
    """
    check_format("OpenVINO", encoder, "openvino", "onnx")
    stored = "float32"
    if isinstance(encoder, ExportedEncoder):
        stored = encoder.preprocessing.precision
    if "int8" in (precision, stored) and precision != stored:
        raise EncoderError(
            f"OpenVINO computes this encoder in {_instead(stored)}. Received: "
            f"{precision}. Set `evaluation.precision: {_instead(stored)}`, or pass "
            "as model what `vpr export --format openvino --precision int8` wrote."
        )
    needed = _CAPABILITIES.get(precision)
    return precision if needed is None or needed in capabilities() else "float32"


def compile_forward(encoder: Any, preprocessing: Preprocessing) -> Forward:
    """Compiles an exported or converted encoder; see `engines`."""
    if isinstance(encoder, ExportedEncoder):
        return forward_of(encoder.contents(), preprocessing)
    model = onnx_of(encoder, preprocessing)
    forward = forward_of([model], preprocessing)
    return compared(forward, encoder, preprocessing.precision)


@functools.cache
def capabilities() -> frozenset[str]:
    """Returns what this CPU computes in, in OpenVINO's words: FP32, BF16, INT8 ...

    Raises:
        EncoderError: OpenVINO is not installed.
    """
    core = _library().Core()
    return frozenset(core.get_property(_DEVICE, "OPTIMIZATION_CAPABILITIES"))


def forward_of(contents: list[bytes], preprocessing: Preprocessing) -> Forward:
    """Compiles a model that was checked or made here.

    Args:
        contents: An ONNX model; or the graph (`.xml`) and the weights (`.bin`) of
            OpenVINO's own format.
        preprocessing: Its precision is that of the computation.

    Raises:
        EncoderError: OpenVINO is not installed or cannot compute the model.
    """
    openvino = _library()
    core = openvino.Core()
    settings = {
        "INFERENCE_PRECISION_HINT": _HINTS.get(preprocessing.precision, "f32"),
        "INFERENCE_NUM_THREADS": num_threads(),
        "NUM_STREAMS": 1,
    }

    def request(*size: int) -> Any:
        """Compiles the model for images of a size, or of any."""
        sized = model.clone()
        if size:
            sized.reshape(openvino.PartialShape([-1, *size, 3]))
        return core.compile_model(sized, _DEVICE, settings).create_infer_request()

    try:
        model = read_model(core, contents)
        requests = _requests(request, natural_size(preprocessing))
    except Exception as error:  # all of them RuntimeErrors of C++
        raise EncoderError(
            f"OpenVINO cannot compute this encoder: {_last_line(error)}"
        ) from error
    lock = threading.Lock()

    def compute(images: np.ndarray) -> np.ndarray:
        with lock:
            found = requests(*images.shape[1:3]).infer([images])
            return np.array(found[0], np.float32)

    return telling_failures(compute, natural_size(preprocessing), _last_line)


def _requests(request: Callable[..., Any], size: int) -> Callable[[int, int], Any]:
    """Returns what gives the request for an image size.

    Transformers are not compiled for all sizes at once, but for each.
    """
    try:
        for_all = request()
    except RuntimeError:
        of_size = functools.lru_cache(maxsize=_MOST_SIZES)(request)
        of_size(size, size)
        return of_size
    return lambda height, width: for_all


def read_model(core: Any, contents: list[bytes]) -> Any:
    """Reads a model that was checked or made here; see `forward_of`."""
    if len(contents) == 2:
        graph, weights = contents
        return core.read_model(graph, weights)
    # Not whatever the bytes may also be read as.
    frontends = import_extra("openvino.frontend", "openvino").FrontEndManager()
    frontend = frontends.load_by_framework("onnx")
    return frontend.convert(frontend.load(io.BytesIO(contents[0])))


def _library() -> Any:
    try:
        return import_extra("openvino", "openvino")
    except ImportError as error:
        raise EncoderError(str(error)) from error


def _instead(stored: str) -> str:
    return stored if stored == "int8" else "float32 or mixed_bfloat16"


def _last_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return (lines[-1] if lines else type(error).__name__)[:300]
