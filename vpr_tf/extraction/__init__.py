"""From images to descriptors: which encoder, and its descriptors of many images."""

from vpr_tf.extraction.encoders import Encoder, encoder_fingerprint
from vpr_tf.extraction.errors import DescriptorError, EncoderError

__all__ = ["DescriptorError", "Encoder", "EncoderError", "encoder_fingerprint"]
