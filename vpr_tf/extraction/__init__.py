"""From photos to descriptors: the encoder, and all that uses it."""

from typing import TYPE_CHECKING

from vpr_tf._lazy import lazy_names

if TYPE_CHECKING:
    from vpr_tf.extraction.describe_images import DescribedPhotos
    from vpr_tf.extraction.descriptor_file import DescriptorFile
    from vpr_tf.extraction.encoders import Encoder
    from vpr_tf.extraction.errors import DescriptorError, EncoderError
    from vpr_tf.extraction.feature_extractor import FeatureExtractor
    from vpr_tf.extraction.model_loading import load_extractor
    from vpr_tf.extraction.model_source import ModelSource, find_model
    from vpr_tf.extraction.saved_encoder import read_stored_encoder, store_encoder
    from vpr_tf.extraction.target import Target, is_adapted_to_split
    from vpr_tf.models.fingerprint import encoder_fingerprint

__all__ = [
    "DescribedPhotos",
    "DescriptorError",
    "DescriptorFile",
    "Encoder",
    "EncoderError",
    "FeatureExtractor",
    "ModelSource",
    "Target",
    "encoder_fingerprint",
    "find_model",
    "is_adapted_to_split",
    "load_extractor",
    "read_stored_encoder",
    "store_encoder",
]
__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "DescribedPhotos": "vpr_tf.extraction.describe_images",
        "DescriptorError": "vpr_tf.extraction.errors",
        "DescriptorFile": "vpr_tf.extraction.descriptor_file",
        "Encoder": "vpr_tf.extraction.encoders",
        "EncoderError": "vpr_tf.extraction.errors",
        "FeatureExtractor": "vpr_tf.extraction.feature_extractor",
        "ModelSource": "vpr_tf.extraction.model_source",
        "Target": "vpr_tf.extraction.target",
        "encoder_fingerprint": "vpr_tf.models.fingerprint",
        "find_model": "vpr_tf.extraction.model_source",
        "is_adapted_to_split": "vpr_tf.extraction.target",
        "load_extractor": "vpr_tf.extraction.model_loading",
        "read_stored_encoder": "vpr_tf.extraction.saved_encoder",
        "store_encoder": "vpr_tf.extraction.saved_encoder",
    },
)
