"""Names of the weights of the aggregations in the official state dicts."""

from __future__ import annotations

from collections.abc import Iterator

import keras

from vpr_tf.layers import GeneralizedMeanPooling2D
from vpr_tf.models.torch_weights.entries import StateDictEntry, layer_entries


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
    elif layer.weights:
        raise ValueError(
            f"No official checkpoint has the aggregation {type(layer).__name__}. Save "
            "and load it as .keras or .weights.h5."
        )
