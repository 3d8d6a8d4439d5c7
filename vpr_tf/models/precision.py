"""The same encoder in another precision."""

from __future__ import annotations

from typing import Any

from vpr_tf.models.geolocalization_net import GeoLocalizationNet


def in_precision(encoder: Any, precision: str) -> Any:
    """Returns the encoder computing under another dtype policy, weights copied.

    Args:
        encoder: A `GeoLocalizationNet`; any other encoder is returned as it is.
        precision: Name of a dtype policy: `float32`, `mixed_bfloat16`,
            `mixed_float16`; or `int8`, whose 8-bit weights are made from float32.

    Returns:
        The encoder itself when it computes in that precision already.
    """
    if not isinstance(encoder, GeoLocalizationNet):
        return encoder
    policy = "float32" if precision == "int8" else precision
    if encoder.backbone_dtype_policy.name == policy:
        return encoder
    config = encoder.get_config() | {"dtype": policy}
    copy = GeoLocalizationNet.from_config(config)
    copy.set_weights(encoder.get_weights())
    return copy
