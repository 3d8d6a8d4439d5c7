"""State-dict entries of vision transformers with timm's names, which DINOv2 has too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import keras
import numpy as np

from vpr_tf.layers import InterpolatedPositionEmbedding, LearnedTokens
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


def _attention_entries(
    module: str, attention: keras.layers.MultiHeadAttention
) -> Iterator[StateDictEntry]:
    """Yields the entries of self-attention, one linear layer for all three in torch."""
    parts = (attention.query_dense, attention.key_dense, attention.value_dense)
    yield _qkv_entry(f"{module}.qkv.weight", [part.kernel for part in parts])
    yield _qkv_entry(f"{module}.qkv.bias", [part.bias for part in parts])
    output = attention.output_dense
    heads, head_dim, channels = output.kernel.shape
    yield StateDictEntry(
        f"{module}.proj.weight",
        (output.kernel,),
        lambda array: [array.T.reshape(heads, head_dim, channels)],
        lambda values: values[0].reshape(heads * head_dim, channels).T,
    )
    yield same_entry(f"{module}.proj.bias", output.bias)


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
    yield from _attention_entries(f"{module}.attn", attention)


def _qkv_entry(key: str, variables: Sequence[keras.Variable]) -> StateDictEntry:
    """Queries, keys and values, which torch stacks along the first axis.

    A kernel is `(channels, heads, head_dim)` in Keras, `(heads * head_dim, channels)`
    in torch; a bias is `(heads, head_dim)` and flat.
    """
    shape = tuple(variables[0].shape)
    inputs = shape[:-2]

    def to_keras(array: np.ndarray) -> Sequence[np.ndarray]:
        return [part.T.reshape(shape) for part in np.split(array, 3)]

    def to_torch(values: Sequence[np.ndarray]) -> np.ndarray:
        return np.concatenate([value.reshape(*inputs, -1).T for value in values])

    return StateDictEntry(key, tuple(variables), to_keras, to_torch)
