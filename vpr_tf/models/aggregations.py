"""Registry of the aggregations that `encoder.aggregation` names, and their options."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras

from vpr_tf.layers import (
    SALAD,
    AggregationTokens,
    ArithmeticMeanPooling2D,
    AttentionPooling2D,
    BagOfQueries,
    ClassToken,
    GeneralizedMeanPooling2D,
    MaximumActivationPooling2D,
    MixVPR,
    NetVLAD,
    RegionalMaximumPooling2D,
    SuperVLAD,
)
from vpr_tf.models.backbones import (
    UNCHANGED_TRANSFORMER,
    BackboneSpec,
    TransformerOptions,
)

_WORDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a word",
    type(None): "null",
}
FEATURES = "features"
CLASS_TOKEN = "class_token"
BOTH = "features_and_class_token"
TOKENS = "tokens"


def option_names(layer: type[keras.layers.Layer]) -> tuple[str, ...]:
    """Returns the names of a layer's own arguments."""
    if "__init__" not in vars(layer):
        return ()
    parameters = inspect.signature(layer.__init__).parameters.values()
    own = [p.name for p in parameters if p.kind is not p.VAR_KEYWORD]
    return tuple(own[1:])


def check_options(
    name: str, layer: type[keras.layers.Layer], options: Mapping[str, Any]
) -> None:
    """Checks names and types; the layer itself checks the values.

    Args:
        name: Name of the aggregation.
        layer: Its class; the annotations of its arguments say the types.
        options: By name.

    Raises:
        ValueError: An option is unknown, or its value has the wrong type.
    """
    known = option_names(layer)
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise ValueError(
            f"The aggregation {name} has no option {', '.join(unknown)}. Known: "
            f"{', '.join((*known, 'normalize_features'))}."
        )
    hints = typing.get_type_hints(layer.__init__) if options else {}
    for option, value in options.items():
        hint = hints.get(option, Any)
        wanted = typing.get_args(hint) or (hint,)
        if not any(_is_a(value, kind) for kind in wanted):
            words = " or ".join(_WORDS.get(kind, str(kind)) for kind in wanted)
            raise ValueError(
                f"The option `{option}` of the aggregation {name} must be {words}. "
                f"Received: {value!r}"
            )


def _is_a(value: Any, kind: Any) -> bool:
    if kind not in _WORDS:
        return True
    if kind is float:
        kind = (int, float)
    # In Python true is a whole number.
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


@dataclass(frozen=True)
class AggregationSpec:
    """What the encoder needs to know about an aggregation.

    Attributes:
        layer: Class of the layer. It computes in float32.
        inputs: What it takes: `FEATURES`, a map `(batch, height, width, channels)`;
            `CLASS_TOKEN`, `(batch, channels)`; `BOTH`, a list of the two; or `TOKENS`,
            those before the patches, `(batch, num_tokens, channels)`.
        inputs_by_options: What it takes instead, where that depends on its options.
        normalize_features: Whether each location of the map is divided by its L2 norm
            before, unless the config says otherwise by an option of this name.
        fixed_size: Whether it needs images of one size, that of the encoder's
            `image_shape`.
        transformer: What it changes in a backbone that is a transformer.
        transformer_by_options: The same, where that depends on its options.
    """

    layer: type[keras.layers.Layer]
    inputs: str = FEATURES
    inputs_by_options: Callable[[Mapping[str, Any]], str] | None = None
    normalize_features: bool = False
    fixed_size: bool = False
    transformer: TransformerOptions = UNCHANGED_TRANSFORMER
    transformer_by_options: Callable[[Mapping[str, Any]], TransformerOptions] | None = (
        None
    )

    def inputs_with(self, options: Mapping[str, Any]) -> str:
        """Returns what the layer takes with these options: `FEATURES`, ..."""
        if self.inputs_by_options is None:
            return self.inputs
        return self.inputs_by_options(options)

    def transformer_with(self, options: Mapping[str, Any]) -> TransformerOptions:
        """Returns what these options change in a backbone that is a transformer."""
        if self.transformer_by_options is None:
            return self.transformer
        return self.transformer_by_options(options)


# As published, DINOv2's patches go to it from the last block, without the final norm.
_BOQ = AggregationSpec(BagOfQueries, transformer=TransformerOptions(final_norm=False))


def _with_tokens(options: Mapping[str, Any]) -> TransformerOptions:
    layer = AggregationTokens(**options)
    return TransformerOptions(
        inserted_tokens=layer.num_tokens,
        before_block=layer.before_block,
        antialias_positions=False,  # as the official network does
    )


def _inputs_of_optimal_transport(options: Mapping[str, Any]) -> str:
    return BOTH if options.get("token", "class_token") == "class_token" else FEATURES


_SPECS = {
    "gem": AggregationSpec(GeneralizedMeanPooling2D, normalize_features=True),
    "average": AggregationSpec(ArithmeticMeanPooling2D, normalize_features=True),
    "max": AggregationSpec(MaximumActivationPooling2D, normalize_features=True),
    "rmac": AggregationSpec(RegionalMaximumPooling2D, normalize_features=True),
    "netvlad": AggregationSpec(NetVLAD),
    "mixvpr": AggregationSpec(MixVPR, fixed_size=True),
    "attention": AggregationSpec(AttentionPooling2D),
    "boq": _BOQ,
    "supervlad": AggregationSpec(SuperVLAD),
    "class_token": AggregationSpec(ClassToken, inputs=CLASS_TOKEN),
    "aggregation_tokens": AggregationSpec(
        AggregationTokens, TOKENS, transformer_by_options=_with_tokens
    ),
    "optimal_transport": AggregationSpec(SALAD, BOTH, _inputs_of_optimal_transport),
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
        ValueError: The name is missing or unknown, an option is unknown, or its value
            has the wrong type.
    """
    options: dict[str, Any] = {}
    if isinstance(aggregation, str):
        options = {"name": aggregation}
    elif isinstance(aggregation, Mapping):
        options = dict(aggregation)
    if not isinstance(options.get("name"), str):
        raise ValueError(
            '`aggregation` must be a name or a mapping with a `name`, e.g. "gem" or '
            f'{{"name": "gem", "p": 3.0}}. Received: {aggregation!r}'
        )
    name = options.pop("name")
    spec = aggregation_spec(name)
    normalize = options.pop("normalize_features", spec.normalize_features)
    if not isinstance(normalize, bool):
        raise ValueError(
            f"The option `normalize_features` of the aggregation {name} must be true "
            f"or false. Received: {normalize!r}"
        )
    check_options(name, spec.layer, options)
    if spec.inputs_with(options) != FEATURES and normalize:
        raise ValueError(
            f"The aggregation {name} takes tokens, so `normalize_features` must be "
            f"false. Received: {aggregation!r}"
        )
    return name, options, normalize


def check_aggregation_fits(
    name: str,
    backbone: BackboneSpec,
    image_shape: tuple[int | None, ...],
    options: Mapping[str, Any] | None = None,
) -> None:
    """Checks that a backbone gives what an aggregation with its options needs.

    Raises:
        ValueError: It does not; the message says why.
    """
    spec = aggregation_spec(name)
    takes_features = spec.inputs_with(options or {}) == FEATURES
    if not takes_features and not backbone.has_class_token:
        raise ValueError(
            f"The aggregation {name} needs a class token, and {backbone.name} is a "
            "convolutional network without one. Choose a transformer as "
            "`encoder.backbone`, e.g. DINOv2_B14, or an aggregation of feature maps."
        )
    changes = spec.transformer_with(options or {})
    if changes.before_block > backbone.num_stages - 2:
        raise ValueError(
            f"`before_block` of the aggregation {name} must be a block of "
            f"{backbone.name}, 0 to {backbone.num_stages - 2}. "
            f"Received: {changes.before_block}"
        )
    if spec.fixed_size and None in image_shape:
        raise ValueError(
            f"The weights of the aggregation {name} belong to the locations of the "
            "feature map, so all images must have one size. Set `encoder.image_size` "
            "(pixels), and train and evaluate at that size. "
            f"Received: image_shape={tuple(image_shape)}"
        )
