"""Names of the weights of the aggregations in the official state dicts."""

from __future__ import annotations

from collections.abc import Iterator

import keras

from vpr_tf.layers import GeneralizedMeanPooling2D, OptimalTransportAggregation
from vpr_tf.models.torch_weights.entries import (
    StateDictEntry,
    layer_entries,
    linear_as_convolution_entries,
    same_entry,
)


def aggregation_entries(
    module: str, layer: keras.layers.Layer
) -> Iterator[StateDictEntry]:
    """Yields the entries of an aggregation.

    Args:
        module: Name of the aggregation's torch module.
        layer: The built layer.

    Raises:
        ValueError: The layer has weights, and no official code with their names is
            known.
    """
    if isinstance(layer, GeneralizedMeanPooling2D):
        yield from layer_entries(module, layer)
    elif isinstance(layer, OptimalTransportAggregation):
        yield from _optimal_transport_entries(module, layer)
    elif layer.weights:
        raise ValueError(
            f"No official checkpoint has the aggregation {type(layer).__name__}. Save "
            "and load it as .keras or .weights.h5."
        )


def _optimal_transport_entries(
    module: str, layer: OptimalTransportAggregation
) -> Iterator[StateDictEntry]:
    """SALAD's, which MegaLoc has too."""
    yield same_entry(f"{module}.dust_bin", layer.dust_bin)
    if layer.token != "none":
        for child, dense in zip((0, 2), layer.token_features, strict=True):
            yield from layer_entries(f"{module}.token_features.{child}", dense)
    for name in ("cluster_features", "score"):
        for child, dense in zip((0, 3), getattr(layer, name), strict=True):
            yield from linear_as_convolution_entries(f"{module}.{name}.{child}", dense)
