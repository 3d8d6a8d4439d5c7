"""What encoders are exported as: which formats there are, and in which precisions."""

from __future__ import annotations

from vpr_tf.config import ConfigError
from vpr_tf.extraction.export_record import EXPORTS

SAVED_MODEL = "savedmodel"
FORMATS = (SAVED_MODEL, "onnx", "openvino", "litert")

_EXPORTS = {
    (SAVED_MODEL, "float32"): "weights and computation in float32",
    **EXPORTS,
}
_REASONS = {
    SAVED_MODEL: "A SavedModel computes in float32 wherever it is served",
    "onnx": "ONNX Runtime computes our graphs on a CPU in float32",
    "litert": "LiteRT has no bfloat16",
}


def what_is_exported(model_format: str, precision: str) -> str:
    """Returns what a format and a precision do to an encoder, for people.

    Raises:
        ConfigError: They do not go together; what does instead.
    """
    if (model_format, precision) not in _EXPORTS:
        raise ConfigError(
            f"{_REASONS[model_format]}. Pass --format openvino with --precision "
            f"{precision}, or --precision float32. Received: --format {model_format} "
            f"--precision {precision}"
        )
    return _EXPORTS[model_format, precision]
