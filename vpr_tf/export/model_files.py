"""Writes an encoder in the formats of engines other than TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from vpr_tf.config import Preprocessing
from vpr_tf.export.image_sample import ImageSample
from vpr_tf.export.quantization import quantized
from vpr_tf.extraction.engines.openvino import read_model
from vpr_tf.extraction.engines.tensorflow import frozen_function
from vpr_tf.extraction.engines.tflite_conversion import to_tflite
from vpr_tf.extraction.export_record import MODEL_FILES
from vpr_tf.extras import import_extra
from vpr_tf.models import GeoLocalizationNet, in_precision, to_onnx


def write_model(
    model_format: str,
    encoder: GeoLocalizationNet,
    preprocessing: Preprocessing,
    folder: Path,
    calibration: ImageSample | None = None,
) -> None:
    """Writes the files of a format into a folder.

    Args:
        model_format: One of `MODEL_FILES`.
        encoder: The encoder.
        preprocessing: How images are prepared; its precision is that of the export.
        folder: Where the files are to lie.
        calibration: Images for the ranges of 8-bit activations of OpenVINO.

    Raises:
        ImportError: An extra is not installed.
        ValueError: The encoder cannot be converted.
        OSError: The files cannot be written.
    """
    paths = [folder / name for name in MODEL_FILES[model_format]]
    _WRITERS[model_format](encoder, preprocessing, paths[0], calibration)


def _write_onnx(
    encoder: GeoLocalizationNet, preprocessing: Preprocessing, path: Path, _: Any
) -> None:
    path.write_bytes(to_onnx(encoder, preprocessing))


def _write_openvino(
    encoder: GeoLocalizationNet,
    preprocessing: Preprocessing,
    path: Path,
    calibration: ImageSample | None,
) -> None:
    openvino = import_extra("openvino", "openvino")
    model = read_model(openvino.Core(), [to_onnx(encoder, preprocessing)])
    if calibration is not None:
        model = quantized(model, calibration, len(calibration))
    is_half = preprocessing.precision == "mixed_float16"
    openvino.save_model(model, path, compress_to_fp16=is_half)


def _write_litert(
    encoder: GeoLocalizationNet, preprocessing: Preprocessing, path: Path, _: Any
) -> None:
    frozen = frozen_function(in_precision(encoder, "float32"))
    path.write_bytes(to_tflite(frozen, preprocessing.precision))


_WRITERS: dict[str, Callable[..., None]] = {
    "onnx": _write_onnx,
    "openvino": _write_openvino,
    "litert": _write_litert,
}
