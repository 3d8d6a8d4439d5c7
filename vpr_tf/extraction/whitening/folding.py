"""An encoder with a whitening layer at its end."""

from __future__ import annotations

from vpr_tf.extraction.whitening.pca import Whitening
from vpr_tf.models import GeoLocalizationNet


def check_not_whitened(encoder: object) -> GeoLocalizationNet:
    """Checks that an encoder can take a whitening layer, and returns it.

    Raises:
        ValueError: It has one, or is no `GeoLocalizationNet`.
    """
    if not isinstance(encoder, GeoLocalizationNet):
        raise ValueError(
            "Whitening is folded into a Keras encoder: a run folder or a .keras file. "
            f"Received: {type(encoder).__name__}"
        )
    whitening_dim = encoder.get_config()["whitening_dim"]
    if whitening_dim is not None:
        raise ValueError(
            "The encoder must not be whitened already. Received: whitening_dim="
            f"{whitening_dim}. Start from the encoder that it was made of."
        )
    return encoder


def add_whitening(
    encoder: GeoLocalizationNet, whitening: Whitening
) -> GeoLocalizationNet:
    """Returns a new encoder that whitens its descriptors and divides by their norm.

    Args:
        encoder: Gives the descriptors that the whitening was fitted on; its weights
            are copied.
        whitening: From `fit_whitening`.

    Raises:
        ValueError: The encoder is whitened already, or its descriptors have another
            length.
    """
    check_not_whitened(encoder)
    length, dim = whitening.kernel.shape
    if length != encoder.descriptor_dim:
        raise ValueError(
            f"The whitening is for descriptors of length {length}. Received an encoder "
            f"with descriptor_dim={encoder.descriptor_dim}"
        )
    config = encoder.get_config() | {"whitening_dim": dim}
    whitened = GeoLocalizationNet.from_config(config)
    for layer in encoder.layers:
        whitened.get_layer(layer.name).set_weights(layer.get_weights())
    whitened.get_layer("whitening").set_weights([whitening.kernel, whitening.bias])
    return whitened
