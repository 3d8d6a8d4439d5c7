"""What encoders are exported as: which formats there are, and in which precisions."""

from __future__ import annotations

from vpr_tf.config import ConfigError

SAVED_MODEL = "savedmodel"
FORMATS = (SAVED_MODEL, "onnx", "openvino", "litert")

# What becomes of the weights and of the computation.
_EXPORTS = {
    (SAVED_MODEL, "float32"): "weights and computation in float32",
    ("onnx", "float32"): "weights and computation in float32",
    ("openvino", "float32"): "weights and computation in float32",
    ("openvino", "bfloat16"): "weights in float32, computation in bfloat16 on a CPU "
    "that has it, else in float32",
    ("openvino", "float16"): "weights in float16, half the size; computation in "
    "float16 on a CPU that has it, else in float32",
    ("openvino", "int8"): "weights and activations in 8 bits from the fourth "
    "convolution to the last, by ranges that are measured on photos",
    ("litert", "float32"): "weights and computation in float32",
    ("litert", "float16"): "weights in float16, half the size; computation in float32",
    ("litert", "int8"): "weights in 8 bits; activations too, by the range of each "
    "image",
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
