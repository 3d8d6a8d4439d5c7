"""What heads with a linear layer share."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from vpr_tf.layers.training_head import TrainingHead


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
