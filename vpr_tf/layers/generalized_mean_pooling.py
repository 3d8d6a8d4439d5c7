"""Generalised-mean pooling (GeM) over the spatial axes."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="vpr_tf")
class GeneralizedMeanPooling2D(keras.layers.Layer):
    """Pools a feature map by the generalised mean with a trainable exponent.

    `mean(max(x, epsilon) ** p) ** (1 / p)` over height and width: average pooling
    for p = 1, max pooling as p grows. Computes in float32 whatever the dtype policy
    (`epsilon ** p` underflows in float16) and returns the compute dtype.

    Args:
        p: Initial exponent. The layer's variable `p` is a trainable float32 scalar.
        epsilon: Lower bound of the features.
        **kwargs: Keyword arguments of `keras.layers.Layer`.

    Input shape:
        `(batch, height, width, channels)`.

    Output shape:
        `(batch, channels)`.

    Reference:
        Radenovic et al., "Fine-tuning CNN Image Retrieval with No Human
        Annotation", arXiv:1711.02512.
    """

    def __init__(self, p: float = 3.0, epsilon: float = 1e-6, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not p > 0:
            raise ValueError(f"`p` must be positive, e.g. 3.0. Received: p={p}")
        if not epsilon > 0:
            raise ValueError(
                f"`epsilon` must be positive, e.g. 1e-6. Received: epsilon={epsilon}"
            )
        self.initial_p = float(p)
        self.epsilon = epsilon

    def build(self, input_shape):
        if len(input_shape) != 4:
            raise ValueError(
                "GeM pools feature maps of shape (batch, height, width, channels). "
                f"Received: input_shape={tuple(input_shape)}"
            )
        self.p = self.add_weight(
            name="p",
            shape=(),
            dtype="float32",
            initializer=keras.initializers.Constant(self.initial_p),
            autocast=False,
        )

    def call(self, inputs):
        p = ops.convert_to_tensor(self.p)
        x = ops.maximum(ops.cast(inputs, "float32"), self.epsilon)
        # exp(p log x) is vectorised on CPUs and the power is not.
        mean = ops.mean(ops.exp(p * ops.log(x)), axis=(1, 2))
        outputs = ops.exp(ops.log(mean) / p)
        return ops.cast(outputs, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], input_shape[3])

    def get_config(self):
        config = super().get_config()
        config.update({"p": self.initial_p, "epsilon": self.epsilon})
        return config
