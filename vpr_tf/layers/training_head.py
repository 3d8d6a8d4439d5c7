"""What all heads of training share: their input, an MLP, a linear layer, export."""

from __future__ import annotations

from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

_MAX_HIDDEN_LAYERS = 3


class TrainingHead(keras.layers.Layer):
    """Base of the layers that turn descriptors into a loss.

    Weights, outputs and loss are float32 whatever the dtype policy. A subclass makes
    its weights in `build_head`, passes descriptors through `prepare` in its `call`,
    and has `loss(descriptors, targets)`, which returns the loss of each example,
    float32 of shape `(batch,)`, so that a distributed step divides the sum by the
    global batch.

    Args:
        hidden_layers: Number of layers with SiLU in front of the head, 0 to 3, each
            as long as the descriptor.
        seed: Seed of the initial weights (Glorot uniform); None draws one from
            Keras's global seed.
        **kwargs: Keyword arguments of `keras.layers.Layer`.

    Attributes:
        target: What `loss` takes: "class_index", integers of shape `(batch,)`, or
            "place", float32 of shape `(batch, 4)`: metres east and north of the
            middle of the map, sine and cosine of the heading (both 0 if unknown).

    Input shape:
        `(batch, descriptor_dim)`.
    """

    target: ClassVar[str] = "class_index"
    # Of the first hidden layer's initial weights; None for Glorot's.
    first_kernel_deviation: ClassVar[float | None] = None

    def __init__(
        self, *, hidden_layers: int = 0, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if not 0 <= hidden_layers <= _MAX_HIDDEN_LAYERS:
            raise ValueError(
                f"`hidden_layers` must be 0 to {_MAX_HIDDEN_LAYERS}. "
                f"Received: hidden_layers={hidden_layers}"
            )
        self.hidden_layers = hidden_layers
        self.seed = seed
        self.autocast = False

    def build(self, input_shape):
        if len(input_shape) != 2 or input_shape[-1] is None:
            raise ValueError(
                "Descriptors must have the shape (batch, descriptor_dim) with a known "
                f"dimension. Received: input_shape={tuple(input_shape)}"
            )
        descriptor_dim = input_shape[-1]
        # Without hidden layers nothing is tracked: earlier checkpoints have no MLP.
        if self.hidden_layers:
            self.mlp = keras.Sequential(
                [
                    keras.layers.Dense(
                        descriptor_dim,
                        activation="silu",
                        kernel_initializer=self._hidden_initializer(layer),
                        dtype="float32",
                        name=f"hidden_{layer}",
                    )
                    for layer in range(self.hidden_layers)
                ],
                name="mlp",
            )
            self.mlp.build((None, descriptor_dim))
        self.build_head(descriptor_dim)

    def build_head(self, descriptor_dim: int) -> None:
        """Makes the head's own weights."""
        raise NotImplementedError

    def add_float32_weight(
        self, name: str, shape: tuple[int, ...], initializer: Any = None
    ) -> keras.Variable:
        """Adds a float32 weight; Glorot uniform without an initializer."""
        return self.add_weight(
            name=name,
            shape=shape,
            dtype="float32",
            initializer=self._initializer() if initializer is None else initializer,
            autocast=False,
        )

    def _initializer(self, layer: int = 0) -> keras.initializers.Initializer:
        # Layers of the same shape would start with the same weights.
        seed = None if self.seed is None else self.seed + layer
        return keras.initializers.GlorotUniform(seed=seed)

    def _hidden_initializer(self, layer: int) -> keras.initializers.Initializer:
        if layer or self.first_kernel_deviation is None:
            return self._initializer(1 + layer)
        seed = None if self.seed is None else self.seed + 1
        return keras.initializers.RandomNormal(0.0, self.first_kernel_deviation, seed)

    def prepare(self, descriptors: Any) -> Any:
        """Returns the descriptors in float32, behind the hidden layers."""
        descriptors = ops.cast(descriptors, "float32")
        return self.mlp(descriptors) if self.hidden_layers else descriptors

    def arrays(self) -> dict[str, np.ndarray]:
        """Returns what prediction needs besides the kind of head, in float32.

        Here `hidden_0_kernel` of shape `(descriptor_dim, descriptor_dim)`,
        `hidden_0_bias`, and so on; the subclasses add their own.

        Raises:
            ValueError: The layer is not built.
        """
        if not self.built:
            raise ValueError(
                f"{type(self).__name__} has no weights yet. Call it, or `build`, first."
            )
        arrays = {}
        for layer in self.mlp.layers if self.hidden_layers else ():
            arrays[f"{layer.name}_kernel"] = layer.kernel.numpy()
            arrays[f"{layer.name}_bias"] = layer.bias.numpy()
        return arrays

    def get_config(self):
        config = super().get_config()
        config.update({"hidden_layers": self.hidden_layers, "seed": self.seed})
        return config


class LinearHead(TrainingHead):
    """A linear layer with bias.

    Args:
        num_outputs: Number of outputs.
        **kwargs: Keyword arguments of `TrainingHead`.

    Attributes:
        kernel: Weights of shape `(descriptor_dim, num_outputs)`.
        bias: Shape `(num_outputs,)`, 0 at the start.
    """

    def __init__(self, num_outputs: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_outputs = num_outputs

    def build_head(self, descriptor_dim: int) -> None:
        self.kernel = self.add_float32_weight(
            "kernel", (descriptor_dim, self.num_outputs)
        )
        self.bias = self.add_float32_weight("bias", (self.num_outputs,), "zeros")

    def call(self, descriptors):
        return ops.matmul(self.prepare(descriptors), self.kernel) + self.bias

    def arrays(self) -> dict[str, np.ndarray]:
        """Adds `kernel` and `bias`, shapes as in the class's docstring."""
        return super().arrays() | {
            "kernel": self.kernel.numpy(),
            "bias": self.bias.numpy(),
        }

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.num_outputs)
