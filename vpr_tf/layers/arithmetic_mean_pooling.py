"""Average pooling (SPoC) over the spatial axes."""

from __future__ import annotations

import keras
from keras import ops

from vpr_tf.layers._construction import check_feature_map


@keras.saving.register_keras_serializable(package="vpr_tf")
class ArithmeticMeanPooling2D(keras.layers.Layer):
    """Pools a feature map by its mean over all locations, known as SPoC.

    Computes in float32 whatever the dtype policy, and returns the compute dtype.
    SPoC's centre prior and its PCA are not part of it.

    Args:
        **kwargs: Keyword arguments of `keras.layers.Layer`.

    Input shape:
        `(batch, height, width, channels)`.

    Output shape:
        `(batch, channels)`.

    Reference:
        Babenko and Lempitsky, "Aggregating Deep Convolutional Features for Image
        Retrieval" (SPoC), arXiv:1510.07493.
    """

    def build(self, input_shape):
        check_feature_map("Average pooling", input_shape)

    def call(self, inputs):
        mean = ops.mean(ops.cast(inputs, "float32"), axis=(1, 2))
        return ops.cast(mean, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], input_shape[3])
