"""The file of an engine that is not TensorFlow's, for any encoder that has one."""

from __future__ import annotations

from typing import Any

from vpr_tf.config import Preprocessing
from vpr_tf.extraction.errors import EncoderError
from vpr_tf.extraction.exported_encoder import ExportedEncoder


def check_format(
    engine: str, encoder: Any, *formats: str, any_keras: bool = False
) -> None:
    """Checks that an engine can compute an encoder.

    Args:
        engine: For messages.
        encoder: Any.
        formats: Of exports that the engine reads.
        any_keras: Whether every Keras model can be converted for it, not only a
            `GeoLocalizationNet`.

    Raises:
        EncoderError: It is of another format, or of no kind that can be converted.
    """
    if isinstance(encoder, ExportedEncoder):
        if encoder.format not in formats:
            raise EncoderError(
                f"{engine} computes exports of the format {' or '.join(formats)}. "
                f"Received: {encoder.format}. Leave out `engine`, or export the "
                f"encoder by `vpr export --format {formats[0]}`."
            )
        return
    import keras

    from vpr_tf.models import GeoLocalizationNet

    if not isinstance(encoder, keras.Model if any_keras else GeoLocalizationNet):
        raise EncoderError(
            f"{engine} needs a Keras encoder (a run folder, a .keras file, a released "
            "encoder or the config's own) or an export of the format "
            f"{formats[0]}. Received: {type(encoder).__name__}. Use the engine "
            "tensorflow, in float32."
        )


def onnx_of(encoder: Any, preprocessing: Preprocessing) -> bytes:
    """Returns a `GeoLocalizationNet` as ONNX.

    Raises:
        EncoderError: The extra `onnx` is not installed, or ONNX lacks an operation.
    """
    from vpr_tf.models.onnx_conversion import to_onnx

    try:
        return to_onnx(encoder, preprocessing)
    except (ImportError, ValueError) as error:
        raise EncoderError(str(error)) from error
