"""Maximum pooling (MAC) over the spatial axes."""

from __future__ import annotations

import keras
from keras import ops

from vpr_tf.layers._construction import check_feature_map


@keras.saving.register_keras_serializable(package="vpr_tf")
class MaximumActivationPooling2D(keras.layers.Layer):
    """Pools a feature map by its maximum over all locations, known as MAC.

    Args:
        **kwargs: Keyword arguments of `keras.layers.Layer`.

    Input shape:
        `(batch, height, width, channels)`.

    Output shape:
        `(batch, channels)`.

    Reference:
        Razavian et al., "Visual Instance Retrieval with Deep Convolutional Networks"
        (MAC), arXiv:1412.6574.
    """

    def build(self, input_shape):
        check_feature_map("MAC", input_shape)

    def call(self, inputs):
        # A maximum rounds nothing: it needs no float32.
        return ops.max(inputs, axis=(1, 2))

    def compute_output_shape(self, input_shape):
        return (input_shape[0], input_shape[3])
