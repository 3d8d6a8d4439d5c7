"""ArcFace: the loss of Divide&Classify over one group's classes."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from vpr_tf.layers.margin_head import MarginHead

# The square root has no finite gradient at 0, where the cosine is 1 or -1.
_SMALLEST_SQUARED_SINE = 1e-12


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
