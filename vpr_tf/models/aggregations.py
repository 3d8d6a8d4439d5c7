"""Registry of the aggregations that `encoder.aggregation` names."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras

from vpr_tf.layers import GeneralizedMeanPooling2D
from vpr_tf.models.backbones import BackboneSpec

FEATURES = "features"
CLASS_TOKEN = "class_token"
BOTH = "features_and_class_token"


@dataclass(frozen=True)
class AggregationSpec:
    """What the encoder needs to know about an aggregation.

    Attributes:
        layer: Class of the layer. It computes in float32.
        inputs: What it takes: `FEATURES`, a map `(batch, height, width, channels)`;
            `CLASS_TOKEN`, `(batch, channels)`; or `BOTH`, a list of the two.
        normalize_features: Whether each location of the map is divided by its L2 norm
            before, unless the config says otherwise by an option of this name.
        fixed_size: Whether it needs images of one size, told by the encoder's
            `image_shape`.
    """

    layer: type[keras.layers.Layer]
    inputs: str = FEATURES
    normalize_features: bool = False
    fixed_size: bool = False

    @property
    def options(self) -> tuple[str, ...]:
        """Names of the layer's own arguments."""
        parameters = inspect.signature(self.layer.__init__).parameters.values()
        own = [p.name for p in parameters if p.kind is not p.VAR_KEYWORD]
        return tuple(own[1:])


_SPECS = {
    "gem": AggregationSpec(GeneralizedMeanPooling2D, normalize_features=True),
}

AGGREGATION_NAMES = tuple(_SPECS)


def aggregation_spec(name: str) -> AggregationSpec:
    """Returns the description of an aggregation.

    Raises:
        ValueError: The name is unknown; the message lists the known ones.
    """
    if name not in _SPECS:
        raise ValueError(
            f"`aggregation` must be one of {', '.join(AGGREGATION_NAMES)}. "
            f"Received: {name!r}"
        )
    return _SPECS[name]


def parse_aggregation(
    aggregation: str | Mapping[str, Any],
) -> tuple[str, dict[str, Any], bool]:
    """Splits `encoder.aggregation` into its parts and checks them.

    Args:
        aggregation: A name, or a mapping with `name` and options.

    Returns:
        The name, the options of the layer, and whether features are normalised.

    Raises:
        ValueError: The name is missing or unknown, or an option is unknown.
    """
    options = (
        {"name": aggregation} if isinstance(aggregation, str) else dict(aggregation)
    )
    if not isinstance(options.get("name"), str):
        raise ValueError(
            '`aggregation` must be a name or a mapping with a `name`, e.g. "gem" or '
            f'{{"name": "gem", "p": 3.0}}. Received: {aggregation!r}'
        )
    name = options.pop("name")
    spec = aggregation_spec(name)
    normalize = options.pop("normalize_features", spec.normalize_features)
    if spec.inputs != FEATURES and normalize:
        raise ValueError(
            f"The aggregation {name} takes tokens, so `normalize_features` must be "
            f"false. Received: {aggregation!r}"
        )
    unknown = sorted(set(options) - set(spec.options))
    if unknown:
        raise ValueError(
            f"The aggregation {name} has no option {', '.join(unknown)}. Known: "
            f"{', '.join((*spec.options, 'normalize_features'))}."
        )
    return name, options, bool(normalize)


def check_aggregation_fits(
    name: str, backbone: BackboneSpec, image_shape: tuple[int | None, ...]
) -> None:
    """Checks that a backbone gives what an aggregation needs.

    Raises:
        ValueError: It does not; the message says why.
    """
    spec = aggregation_spec(name)
    if spec.inputs != FEATURES and not backbone.has_class_token:
        raise ValueError(
            f"The aggregation {name} needs a class token, and {backbone.name} is a "
            "convolutional network without one. Choose a transformer as "
            "`encoder.backbone`, e.g. DINOv2_B14, or an aggregation of feature maps."
        )
    if spec.fixed_size and None in image_shape:
        raise ValueError(
            f"The weights of the aggregation {name} belong to the locations of the "
            "feature map, so all images must have one size. Set `encoder.image_size` "
            "(pixels), and train and evaluate at that size. "
            f"Received: image_shape={tuple(image_shape)}"
        )
