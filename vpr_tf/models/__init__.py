"""Encoders: an image to a descriptor."""

from vpr_tf.models.encoder_builder import build_encoder
from vpr_tf.models.geolocalization_net import GeoLocalizationNet

__all__ = ["GeoLocalizationNet", "build_encoder"]
