"""CosFace: the large margin cosine loss over the classes of one group."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

_SMALLEST_NORM_PRODUCT = 1e-8


@keras.saving.register_keras_serializable(package="vpr_tf")
class CosineMarginHead(keras.layers.Layer):
    """Scaled cosine between descriptors and class centres, minus a margin.

    The logit of class j is `scale * cos(x, w_j)`, and `scale * (cos(x, w_j) -
    margin)` for the class of the example. Weights, logits and loss are float32
    whatever the dtype policy.

    Args:
        num_classes: Number of classes of the group.
        scale: Factor of the cosine (s).
        margin: Subtracted from the cosine of the example's class (m), in [0, 1).
        seed: Seed of the initial class centres (Glorot uniform); None draws one
            from Keras's global seed.
        **kwargs: Keyword arguments of `keras.layers.Layer`.

    Call arguments:
        descriptors: Shape `(batch, descriptor_dim)`; they need not be normalised.
        class_index: Integers of shape `(batch,)`, 0 to `num_classes - 1` inside the
            group. Without it there is no margin: the logits are for prediction.

    Output shape:
        `(batch, num_classes)`, float32.

    Reference:
        Wang et al., "CosFace: Large Margin Cosine Loss for Deep Face Recognition",
        arXiv:1801.09414.
    """

    def __init__(
        self,
        num_classes: int,
        scale: float = 30.0,
        margin: float = 0.4,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if num_classes < 1:
            raise ValueError(
                f"`num_classes` must be 1 or more. Received: num_classes={num_classes}"
            )
        if not scale > 0:
            raise ValueError(
                f"`scale` must be positive, e.g. 30. Received: scale={scale}"
            )
        if not 0 <= margin < 1:
            raise ValueError(f"`margin` must be in [0, 1). Received: margin={margin}")
        self.num_classes = num_classes
        self.scale = scale
        self.margin = margin
        self.seed = seed
        self.autocast = False

    def build(self, input_shape):
        if len(input_shape) != 2 or input_shape[-1] is None:
            raise ValueError(
                "Descriptors must have the shape (batch, descriptor_dim) with a known "
                f"dimension. Received: input_shape={tuple(input_shape)}"
            )
        self.class_centres = self.add_weight(
            name="class_centres",
            shape=(input_shape[-1], self.num_classes),
            dtype="float32",
            initializer=keras.initializers.GlorotUniform(seed=self.seed),
            autocast=False,
        )

    def call(self, descriptors, class_index=None):
        cosine = self._cosine(ops.cast(descriptors, "float32"))
        if class_index is None:
            return self.scale * cosine
        classes = ops.arange(self.num_classes, dtype="int32")
        class_index = ops.convert_to_tensor(class_index, "int32")
        is_own_class = ops.equal(class_index[:, None], classes)
        return self.scale * ops.where(is_own_class, cosine - self.margin, cosine)

    def loss(self, descriptors, class_index):
        """Returns the cross-entropy of each example, float32 of shape `(batch,)`.

        Per example, so that a distributed step divides the sum by the global batch.
        Arguments are those of `call`.
        """
        class_index = ops.convert_to_tensor(class_index, "int32")
        logits = self(descriptors, class_index)
        return ops.sparse_categorical_crossentropy(
            class_index, logits, from_logits=True
        )

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.num_classes)

    def get_config(self):
        config = super().get_config()
        config.update(
            {
                "num_classes": self.num_classes,
                "scale": self.scale,
                "margin": self.margin,
                "seed": self.seed,
            }
        )
        return config

    def _cosine(self, descriptors):
        """Divides the product by both norms: cheaper than normalised centres."""
        centres = ops.convert_to_tensor(self.class_centres)
        norms = _norm(descriptors, axis=1) * _norm(centres, axis=0)
        product = ops.matmul(descriptors, centres)
        return product / ops.maximum(norms, _SMALLEST_NORM_PRODUCT)


def _norm(x, axis):
    # The square root of zero has no finite gradient.
    square_sum = ops.sum(ops.square(x), axis=axis, keepdims=True)
    return ops.sqrt(ops.maximum(square_sum, 1e-24))
