"""The class token of a transformer as the descriptor."""

from __future__ import annotations

import keras


@keras.saving.register_keras_serializable(package="vpr_tf")
class ClassToken(keras.layers.Layer):
    """Returns the class token as it is.

    The encoder hands it the token alone; the layer says that a token must be given,
    and stands in the model where other aggregations stand.

    Args:
        **kwargs: Keyword arguments of `keras.layers.Layer`.

    Input shape:
        `(batch, channels)`.

    Output shape:
        Same as the input.

    Reference:
        Dosovitskiy et al., "An Image is Worth 16x16 Words: Transformers for Image
        Recognition at Scale", arXiv:2010.11929.
    """

    def build(self, input_shape):
        if len(input_shape) != 2:
            raise ValueError(
                "The class token has shape (batch, channels). Received: input_shape="
                f"{tuple(input_shape)}"
            )

    def call(self, inputs):
        return inputs

    def compute_output_shape(self, input_shape):
        return input_shape
