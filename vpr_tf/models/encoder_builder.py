"""From the config to an encoder with its weights."""

from __future__ import annotations

from vpr_tf.config import EncoderConfig
from vpr_tf.models.geolocalization_net import GeoLocalizationNet
from vpr_tf.models.weights import load_weights


def build_encoder(config: EncoderConfig) -> GeoLocalizationNet:
    """Builds the encoder that a config describes and loads its weights.

    The backbone takes the global dtype policy (`keras.config.set_dtype_policy`), so
    set that first. Random weights follow `keras.utils.set_random_seed`.

    Args:
        config: The `encoder` part of an experiment.

    Raises:
        FileNotFoundError: The weights file is missing.
        ConnectionError: A preset cannot be fetched.
        ValueError: A name is unknown, the aggregation does not fit the backbone, or
            the weights do not fit.
    """
    model = GeoLocalizationNet(
        config.backbone,
        config.descriptor_dim,
        aggregation=config.aggregation.options(),
        last_stage=config.last_stage,
        image_shape=(config.image_size, config.image_size, 3),
        train_from_stage=config.train_from_stage,
        bn_mode=config.bn_mode,
    )
    load_weights(model, config.weights)
    return model
