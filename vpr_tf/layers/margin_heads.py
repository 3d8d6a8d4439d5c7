"""Heads with a margin between descriptors and class centres: CosFace and ArcFace."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from vpr_tf.layers._construction import check_num_classes
from vpr_tf.layers.training_head import TrainingHead

_SMALLEST_NORM_PRODUCT = 1e-8
# The square root has no finite gradient at 0, where the cosine is 1 or -1.
_SMALLEST_SQUARED_SINE = 1e-12


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


@keras.saving.register_keras_serializable(package="vpr_tf")
class CosineMarginHead(MarginHead):
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
        **kwargs: Keyword arguments of `TrainingHead`.

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
        super().__init__(num_classes, scale, margin, seed=seed, **kwargs)

    def with_margin(self, cosine: Any) -> Any:
        return cosine - self.margin


@keras.saving.register_keras_serializable(package="vpr_tf")
class AngularMarginHead(MarginHead):
    """Scaled cosine between descriptors and class centres, with a wider angle.

    The logit of class j is `scale * cos(theta_j)`. For the class of the example it is
    `scale * cos(theta + margin)`: equation 4 of Divide&Classify. With the easy margin,
    which its official code has, it is so where `cos(theta) > 0` only, and there is no
    margin elsewhere.

    Args:
        num_classes: Number of classes of the group.
        scale: Factor of the cosine (s).
        margin: Added to the angle of the example's class (m), radians in [0, 1).
        easy_margin: Whether angles above 90 degrees have no margin. Without it, the
            logit rises again where `theta + margin` passes 180 degrees.
        **kwargs: Keyword arguments of `TrainingHead`.

    Call arguments:
        descriptors: Shape `(batch, descriptor_dim)`; they need not be normalised.
        class_index: Integers of shape `(batch,)`, 0 to `num_classes - 1` inside the
            group. Without it there is no margin: the logits are for prediction.

    Output shape:
        `(batch, num_classes)`, float32.

    Reference:
        Deng et al., "ArcFace: Additive Angular Margin Loss for Deep Face
        Recognition", arXiv:1801.07698; Trivigno et al., "Divide&Classify: Fine-Grained
        Classification for City-Wide Visual Place Recognition", arXiv:2307.08417.
    """

    def __init__(
        self,
        num_classes: int,
        scale: float = 100.0,
        margin: float = 0.2,
        easy_margin: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(num_classes, scale, margin, **kwargs)
        self.easy_margin = easy_margin

    def with_margin(self, cosine: Any) -> Any:
        squared_sine = ops.maximum(1.0 - ops.square(cosine), _SMALLEST_SQUARED_SINE)
        wider = cosine * math.cos(self.margin)
        wider = wider - ops.sqrt(squared_sine) * math.sin(self.margin)
        return ops.where(cosine > 0, wider, cosine) if self.easy_margin else wider

    def get_config(self):
        return super().get_config() | {"easy_margin": self.easy_margin}
