"""What heads with a margin between descriptors and class centres share."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from vpr_tf.layers._checks import check_num_classes
from vpr_tf.layers.training_head import TrainingHead

_SMALLEST_NORM_PRODUCT = 1e-8


class MarginHead(TrainingHead):
    """Cross-entropy of the scaled cosine between descriptors and class centres.

    For the class of the example `with_margin`, which a subclass has, makes the cosine
    smaller.

    Args:
        num_classes: Number of classes of the group.
        scale: Factor of the cosine (s).
        margin: Margin of the example's class (m), in [0, 1).
        **kwargs: Keyword arguments of `TrainingHead`.

    Attributes:
        class_centres: Weights of shape `(descriptor_dim, num_classes)`.
    """

    def __init__(
        self, num_classes: int, scale: float, margin: float, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        check_num_classes(num_classes)
        if not scale > 0:
            raise ValueError(
                f"`scale` must be positive, e.g. 30. Received: scale={scale}"
            )
        if not 0 <= margin < 1:
            raise ValueError(f"`margin` must be in [0, 1). Received: margin={margin}")
        self.num_classes = num_classes
        self.scale = scale
        self.margin = margin

    def build_head(self, descriptor_dim: int) -> None:
        self.class_centres = self.add_float32_weight(
            "class_centres", (descriptor_dim, self.num_classes)
        )

    def with_margin(self, cosine: Any) -> Any:
        """Returns what stands for the cosine at the class of the example."""
        raise NotImplementedError

    def call(self, descriptors, class_index=None):
        cosine = self._cosine(self.prepare(descriptors))
        if class_index is None:
            return self.scale * cosine
        return self._logits(cosine, ops.convert_to_tensor(class_index, "int32"))

    def loss(self, descriptors, class_index):
        class_index = ops.convert_to_tensor(class_index, "int32")
        logits = self(descriptors, class_index)
        return ops.sparse_categorical_crossentropy(
            class_index, logits, from_logits=True
        )

    def loss_from_logits(self, class_index, logits):
        """Returns the loss of each example from logits without the margin.

        It is the loss of a model that ends in the head, for `model.fit`: the outputs
        are those of prediction, so that the accuracy is real, and the loss puts the
        margin in.

            model = keras.Sequential([encoder, head])
            model.compile("adam", head.loss_from_logits, metrics=["accuracy"])
        """
        class_index = ops.reshape(ops.convert_to_tensor(class_index, "int32"), (-1,))
        logits = self._logits(ops.cast(logits, "float32") / self.scale, class_index)
        return ops.sparse_categorical_crossentropy(
            class_index, logits, from_logits=True
        )

    def _logits(self, cosine, class_index):
        """Puts the margin in at the class of each example."""
        classes = ops.arange(self.num_classes, dtype="int32")
        is_own_class = ops.equal(class_index[:, None], classes)
        return self.scale * ops.where(is_own_class, self.with_margin(cosine), cosine)

    def arrays(self) -> dict[str, np.ndarray]:
        """Adds `kernel`, the class centres `(descriptor_dim, num_classes)`, which are
        not normalised, and `scale`, a scalar.
        """
        return super().arrays() | {
            "kernel": self.class_centres.numpy(),
            "scale": np.asarray(self.scale, "float32"),
        }

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.num_classes)

    def get_config(self):
        config = super().get_config()
        config.update(
            {
                "num_classes": self.num_classes,
                "scale": self.scale,
                "margin": self.margin,
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
