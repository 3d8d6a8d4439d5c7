"""ONNX Runtime: an encoder as an ONNX graph, on a CPU in float32."""

from __future__ import annotations

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

_ERRORS_ONLY = 3  # of severities


def computed_precision(encoder: Any, precision: str) -> str:
    """Returns the precision, if it is that of an export or float32.

    Raises:
        EncoderError: It is another, or the encoder is of a kind that cannot be
            computed.
    """
    check_format("ONNX Runtime", encoder, "onnx")
    own = getattr(encoder, "preprocessing", None) or Preprocessing()
    stored = own.precision if isinstance(encoder, ExportedEncoder) else "float32"
    if precision != stored:
        raise EncoderError(
            f"ONNX Runtime computes this encoder in {stored}. Received: {precision}. "
            f"Set `evaluation.precision: {stored}`, or take the engine openvino for "
            "mixed_bfloat16 and exports in int8."
        )
    return precision


def compile_forward(encoder: Any, preprocessing: Preprocessing) -> Forward:
    """Makes a session of an exported or converted encoder; see `engines`."""
    size = natural_size(preprocessing)
    if isinstance(encoder, ExportedEncoder):
        return forward_of(encoder.contents()[0], size)
    model = onnx_of(encoder, preprocessing)
    return compared(forward_of(model, size), encoder, "float32")


def forward_of(model: bytes, size: int) -> Forward:
    """Makes a session of an ONNX model that was checked or made here.

    Args:
        model: Content of an `.onnx` file.
        size: See `natural_size`.

    Raises:
        EncoderError: ONNX Runtime is not installed or cannot compute the model.
    """
    try:
        onnxruntime = import_extra("onnxruntime", "onnx")
    except ImportError as error:
        raise EncoderError(str(error)) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = num_threads()
    options.log_severity_level = _ERRORS_ONLY
    # Not whatever the bytes may also be read as.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    # A core that waits for the next batch would take it from those who decode photos.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        # Its fallback would print, and try the same again.
        session = onnxruntime.InferenceSession(
            model, options, providers=["CPUExecutionProvider"], enable_fallback=0
        )
    except Exception as error:  # its own types are private
        raise EncoderError(
            f"ONNX Runtime cannot compute this encoder: {_first_line(error)}"
        ) from error
    images_name = session.get_inputs()[0].name

    def compute(images: np.ndarray) -> np.ndarray:
        return session.run(None, {images_name: images})[0]

    return telling_failures(compute, size, _first_line)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)[:300]
