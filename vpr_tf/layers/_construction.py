"""What layers share when they are made: checks, dtype policy, torch's linear layer."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import numpy.typing as npt


def check_num_classes(num_classes: int) -> None:
    """Checks a number of classes.

    Raises:
        ValueError: It is below 1.
    """
    if num_classes < 1:
        raise ValueError(
            f"`num_classes` must be 1 or more. Received: num_classes={num_classes}"
        )


def check_class_centres(class_centres: npt.ArrayLike) -> np.ndarray:
    """Returns the centres as float64 of shape `(num_classes, 2)`.

    Raises:
        ValueError: They have another shape, or are not finite.
    """
    centres = np.asarray(class_centres, "float64")
    if centres.ndim != 2 or centres.shape[1] != 2 or not len(centres):
        raise ValueError(
            "`class_centres` must have the shape (num_classes, 2). "
            f"Received: class_centres.shape={centres.shape}"
        )
    if not np.isfinite(centres).all():
        raise ValueError("`class_centres` must be finite. Received: NaN or infinity.")
    return centres


def check_feature_map(name: str, input_shape: tuple[int | None, ...]) -> None:
    """Checks that a layer gets feature maps.

    Raises:
        ValueError: The shape is another one.
    """
    if len(input_shape) != 4 or input_shape[3] is None:
        raise ValueError(
            f"{name} takes feature maps of shape (batch, height, width, channels) "
            f"with a known number of channels. Received: input_shape="
            f"{tuple(input_shape)}"
        )


@contextlib.contextmanager
def dtype_policy(policy: str | keras.DTypePolicy) -> Iterator[None]:
    """Sets the global dtype policy for the layers made inside.

    Layers that keras-hub makes take their policy from the global one.
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def torch_linear(inputs: int, units: int, **kwargs: Any) -> keras.layers.Dense:
    """Returns a dense layer with the initial weights of torch's `Linear`.

    Weights and bias are uniform within 1 / sqrt(inputs), where Keras's are Glorot
    uniform and zero.

    Args:
        inputs: Length of its input.
        units: Length of its output.
        **kwargs: Keyword arguments of `keras.layers.Dense`.
    """
    limit = inputs**-0.5
    return keras.layers.Dense(
        units,
        kernel_initializer=keras.initializers.RandomUniform(-limit, limit),
        bias_initializer=keras.initializers.RandomUniform(-limit, limit),
        **kwargs,
    )
