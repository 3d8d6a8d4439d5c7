"""Keras variables and the torch arrays that hold the same weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import keras
import numpy as np

from vpr_tf.layers import GeneralizedMeanPooling2D


@dataclass(frozen=True)
class StateDictEntry:
    """One key of a torch state dict and the variables that it fills.

    Attributes:
        key: Name in the state dict.
        variables: The Keras variables.
        to_keras: Turns the torch array into the values of the variables.
        to_torch: The inverse.
    """

    key: str
    variables: tuple[keras.Variable, ...]
    to_keras: Callable[[np.ndarray], Sequence[np.ndarray]]
    to_torch: Callable[[Sequence[np.ndarray]], np.ndarray]

    @property
    def torch_shape(self) -> tuple[int, ...]:
        """Shape of the torch array."""
        zeros = [np.broadcast_to(np.float32(0), v.shape) for v in self.variables]
        return tuple(self.to_torch(zeros).shape)


def transposed_entry(
    key: str, variable: keras.Variable, axes: tuple[int, ...]
) -> StateDictEntry:
    """An array whose axes are in another order in Keras.

    Args:
        key: Name in the state dict.
        variable: The Keras variable.
        axes: The torch axes in Keras's order.
    """
    back = tuple(int(axis) for axis in np.argsort(axes))
    return StateDictEntry(
        key,
        (variable,),
        lambda array: [array.transpose(axes)],
        lambda values: values[0].transpose(back),
    )


def reshaped_entry(
    key: str, variable: keras.Variable, torch_shape: tuple[int, ...]
) -> StateDictEntry:
    """An array of another shape in torch, its elements in the same order."""
    shape = tuple(variable.shape)
    return StateDictEntry(
        key,
        (variable,),
        lambda array: [array.reshape(shape)],
        lambda values: values[0].reshape(torch_shape),
    )


def same_entry(key: str, variable: keras.Variable) -> StateDictEntry:
    """An array of the same shape in both."""
    return reshaped_entry(key, variable, tuple(variable.shape))


def matrix_as_convolution_entry(key: str, variable: keras.Variable) -> StateDictEntry:
    """A matrix `(inputs, units)` that is the kernel of a 1x1 convolution in torch."""
    inputs, units = variable.shape
    return StateDictEntry(
        key,
        (variable,),
        lambda array: [array.reshape(units, inputs).T],
        lambda values: values[0].T.reshape(units, inputs, 1, 1),
    )


def linear_as_convolution_entries(
    module: str, layer: keras.layers.Dense
) -> Iterator[StateDictEntry]:
    """A dense layer that is a 1x1 convolution in torch."""
    yield matrix_as_convolution_entry(f"{module}.weight", layer.kernel)
    if layer.use_bias:
        yield same_entry(f"{module}.bias", layer.bias)


def layer_entries(module: str, layer: keras.layers.Layer) -> Iterator[StateDictEntry]:
    """Yields the entries of a layer whose torch twin has one module.

    Args:
        module: Name of the torch module, without the dot.
        layer: A built layer.

    Raises:
        TypeError: No twin of such a layer is known.
    """
    if isinstance(layer, keras.layers.BatchNormalization):
        yield same_entry(f"{module}.weight", layer.gamma)
        yield same_entry(f"{module}.bias", layer.beta)
        yield same_entry(f"{module}.running_mean", layer.moving_mean)
        yield same_entry(f"{module}.running_var", layer.moving_variance)
    elif isinstance(layer, keras.layers.LayerNormalization):
        yield same_entry(f"{module}.weight", layer.gamma)
        yield same_entry(f"{module}.bias", layer.beta)
    elif isinstance(layer, GeneralizedMeanPooling2D):
        yield reshaped_entry(f"{module}.p", layer.p, (1,))
    else:
        yield transposed_entry(f"{module}.weight", layer.kernel, _kernel_axes(layer))
        if layer.use_bias:
            yield same_entry(f"{module}.bias", layer.bias)


def _kernel_axes(layer: keras.layers.Layer) -> tuple[int, ...]:
    if isinstance(layer, keras.layers.DepthwiseConv2D):
        return (2, 3, 0, 1)
    if isinstance(layer, keras.layers.Conv2D):
        return (2, 3, 1, 0)
    if isinstance(layer, keras.layers.Dense):
        return (1, 0)
    raise TypeError(f"No torch layout is known for {type(layer).__name__}.")
