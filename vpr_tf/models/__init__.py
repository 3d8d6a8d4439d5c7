"""Encoders: an image to a descriptor."""

from typing import TYPE_CHECKING

from vpr_tf._lazy import lazy_names

if TYPE_CHECKING:
    from vpr_tf.models.encoder_builder import build_encoder
    from vpr_tf.models.geolocalization_net import GeoLocalizationNet

__all__ = ["GeoLocalizationNet", "build_encoder"]
__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "GeoLocalizationNet": "vpr_tf.models.geolocalization_net",
        "build_encoder": "vpr_tf.models.encoder_builder",
    },
)
