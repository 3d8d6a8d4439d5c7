"""State-dict entries of vision transformers with timm's names, which DINOv2 has too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import keras

from vpr_tf.layers import InterpolatedPositionEmbedding, LearnedTokens
from vpr_tf.models.torch_weights.attention_entries import attention_entries
from vpr_tf.models.torch_weights.entries import (
    StateDictEntry,
    layer_entries,
    same_entry,
)


def embedding_entries(
    module: str, layer: keras.layers.Layer
) -> Iterator[StateDictEntry]:
    """Yields the entries of a layer that is no block: tokens, positions, norm."""
    if isinstance(layer, LearnedTokens):
        yield same_entry(module, layer.tokens)
    elif isinstance(layer, InterpolatedPositionEmbedding):
        yield same_entry(module, layer.embeddings)
    else:
        yield from layer_entries(module, layer)


def block_entries(
    module: str,
    attention: keras.layers.MultiHeadAttention,
    layers: Mapping[str, keras.layers.Layer],
) -> Iterator[StateDictEntry]:
    """Yields the entries of a block.

    Args:
        module: Name of the block.
        attention: Its self-attention.
        layers: Its other layers, by their names in torch.
    """
    for name, layer in layers.items():
        yield from layer_entries(f"{module}.{name}", layer)
    yield from attention_entries(
        attention, f"{module}.attn.qkv.", f"{module}.attn.proj"
    )
