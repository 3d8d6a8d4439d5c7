"""Names of the weights of the aggregations in the official state dicts."""

from __future__ import annotations

from collections.abc import Iterator

import keras

from vpr_tf.layers import (
    SALAD,
    BagOfQueries,
    GeneralizedMeanPooling2D,
    MixVPR,
    NetVLAD,
    SuperVLAD,
)
from vpr_tf.models.torch_weights.attention_entries import attention_entries
from vpr_tf.models.torch_weights.entries import (
    StateDictEntry,
    layer_entries,
    linear_as_convolution_entries,
    matrix_as_convolution_entry,
    reshaped_entry,
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
    elif isinstance(layer, SALAD):
        yield from _optimal_transport_entries(module, layer)
    elif isinstance(layer, MixVPR):
        yield from _mixvpr_entries(module, layer)
    elif isinstance(layer, NetVLAD):
        yield from _netvlad_entries(module, layer)
    elif isinstance(layer, SuperVLAD):
        yield matrix_as_convolution_entry(f"{module}.conv.weight", layer.assignment)
    elif isinstance(layer, BagOfQueries):
        yield from _boq_entries(module, layer)
    elif layer.weights:
        raise ValueError(
            f"No official checkpoint has the aggregation {type(layer).__name__}. Save "
            "and load it as .keras or .weights.h5."
        )


def _optimal_transport_entries(module: str, layer: SALAD) -> Iterator[StateDictEntry]:
    """SALAD's, which MegaLoc has too."""
    yield same_entry(f"{module}.dust_bin", layer.dust_bin)
    if layer.token != "none":
        for child, dense in zip((0, 2), layer.token_features, strict=True):
            yield from layer_entries(f"{module}.token_features.{child}", dense)
    for name in ("cluster_features", "score"):
        for child, dense in zip((0, 3), getattr(layer, name), strict=True):
            yield from linear_as_convolution_entries(f"{module}.{name}.{child}", dense)


def _mixvpr_entries(module: str, layer: MixVPR) -> Iterator[StateDictEntry]:
    for number, mixer in enumerate(layer.mixers):
        parts = ((0, mixer.normalization), (1, mixer.hidden), (3, mixer.output_dense))
        for child, part in parts:
            yield from layer_entries(f"{module}.mix.{number}.mix.{child}", part)
    yield from layer_entries(f"{module}.channel_proj", layer.channel_projection)
    yield from layer_entries(f"{module}.row_proj", layer.row_projection)


def _netvlad_entries(module: str, layer: NetVLAD) -> Iterator[StateDictEntry]:
    """The deep visual geo-localization benchmark's."""
    yield matrix_as_convolution_entry(f"{module}.conv.weight", layer.assignment)
    yield same_entry(f"{module}.centroids", layer.centroids)


def _boq_entries(module: str, layer: BagOfQueries) -> Iterator[StateDictEntry]:
    yield from layer_entries(f"{module}.proj_c", layer.convolution)
    yield from layer_entries(f"{module}.norm_input", layer.normalization)
    for number, block in enumerate(layer.blocks):
        name = f"{module}.boqs.{number}"
        shape = (1, *block.queries.shape)
        yield reshaped_entry(f"{name}.queries", block.queries, shape)
        attentions = {
            "encoder.self_attn": block.encoder_attention,
            "self_attn": block.query_attention,
            "cross_attn": block.attention,
        }
        for child, attention in attentions.items():
            part = f"{name}.{child}"
            yield from attention_entries(
                attention, f"{part}.in_proj_", f"{part}.out_proj"
            )
        parts = {
            "encoder.linear1": block.hidden,
            "encoder.linear2": block.encoder_output,
            "encoder.norm1": block.encoder_norm1,
            "encoder.norm2": block.encoder_norm2,
            "norm_q": block.query_norm,
            "norm_out": block.output_norm,
        }
        for child, part in parts.items():
            yield from layer_entries(f"{name}.{child}", part)
    yield from layer_entries(f"{module}.fc", layer.row_projection)
