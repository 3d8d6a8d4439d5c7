"""From photos to descriptors: the encoder, and all that uses it."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vpr_tf.extraction.described_photos import DescribedPhotos
    from vpr_tf.extraction.descriptor_file import DescriptorFile
    from vpr_tf.extraction.encoders import Encoder, encoder_fingerprint
    from vpr_tf.extraction.errors import DescriptorError, EncoderError
    from vpr_tf.extraction.feature_extractor import FeatureExtractor
    from vpr_tf.extraction.model_loading import load_extractor
    from vpr_tf.extraction.model_source import ModelSource, find_model
    from vpr_tf.extraction.stored_encoder import read_stored_encoder, store_encoder

_MODULES = {
    "DescribedPhotos": "described_photos",
    "DescriptorError": "errors",
    "DescriptorFile": "descriptor_file",
    "Encoder": "encoders",
    "EncoderError": "errors",
    "FeatureExtractor": "feature_extractor",
    "ModelSource": "model_source",
    "encoder_fingerprint": "encoders",
    "find_model": "model_source",
    "load_extractor": "model_loading",
    "read_stored_encoder": "stored_encoder",
    "store_encoder": "stored_encoder",
}
__all__ = [
    "DescribedPhotos",
    "DescriptorError",
    "DescriptorFile",
    "Encoder",
    "EncoderError",
    "FeatureExtractor",
    "ModelSource",
    "encoder_fingerprint",
    "find_model",
    "load_extractor",
    "read_stored_encoder",
    "store_encoder",
]


def __getattr__(name: str) -> Any:
    """Loads a public name when it is used: most need TensorFlow."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
