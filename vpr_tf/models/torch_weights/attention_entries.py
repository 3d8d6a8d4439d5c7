"""State-dict entries of multi-head attention: one array for all three inputs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import keras
import numpy as np

from vpr_tf.models.torch_weights.entries import StateDictEntry, same_entry


def attention_entries(
    attention: keras.layers.MultiHeadAttention, inputs: str, output: str
) -> Iterator[StateDictEntry]:
    """Yields the entries of an attention layer.

    Args:
        attention: The built layer, with biases.
        inputs: What stands before `weight` and `bias` of the linear layer that makes
            queries, keys and values: `<module>.qkv.` or `<module>.in_proj_`.
        output: Module of the linear layer after it.
    """
    parts = (attention.query_dense, attention.key_dense, attention.value_dense)
    yield _stacked_entry(f"{inputs}weight", [part.kernel for part in parts])
    yield _stacked_entry(f"{inputs}bias", [part.bias for part in parts])
    kernel = attention.output_dense.kernel
    heads, head_dim, channels = kernel.shape
    yield StateDictEntry(
        f"{output}.weight",
        (kernel,),
        lambda array: [array.T.reshape(heads, head_dim, channels)],
        lambda values: values[0].reshape(heads * head_dim, channels).T,
    )
    yield same_entry(f"{output}.bias", attention.output_dense.bias)


def _stacked_entry(key: str, variables: Sequence[keras.Variable]) -> StateDictEntry:
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
