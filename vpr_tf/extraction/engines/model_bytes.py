"""The file of an engine that is not TensorFlow's, for any encoder that has one."""

from __future__ import annotations

from typing import Any

from vpr_tf.config import Preprocessing
from vpr_tf.extraction.engines import Forward
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


def compared(forward: Forward, encoder: Any, smallest_cosine: float) -> Forward:
    """Compares a converted encoder with Keras, which has checks that are not converted.

    One image of each size that is smaller, in height or width, than all before: what
    layers refuse is images that are too small for them.

    Args:
        forward: The converted encoder.
        encoder: The Keras model that it was made of.
        smallest_cosine: Of two descriptors of an image.
    """
    from vpr_tf.extraction.engines.tensorflow import uncompiled_forward

    exact = uncompiled_forward(encoder, Preprocessing())
    compared_sizes: list[tuple[int, int]] = []

    def checked(images: Any) -> Any:
        descriptors = forward(images)
        height, width = images.shape[1:3]
        if not any(h <= height and w <= width for h, w in compared_sizes):
            _check_alike(descriptors[0], exact(images[:1])[0], smallest_cosine)
            compared_sizes.append((height, width))
        return descriptors

    return checked


def _check_alike(descriptor: Any, exact: Any, smallest_cosine: float) -> None:
    cosine = float(descriptor @ exact)
    if not cosine >= smallest_cosine:
        raise EncoderError(
            "The conversion changes the descriptors of this encoder too much: the "
            f"cosine with those of TensorFlow in float32 must be at least "
            f"{smallest_cosine}. Received: {cosine:.3f}. Use `evaluation.engine: "
            "tensorflow` and `evaluation.precision: float32`."
        )
