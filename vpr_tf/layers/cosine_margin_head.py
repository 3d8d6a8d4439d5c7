"""CosFace: the large margin cosine loss over the classes of one group."""

from __future__ import annotations

from typing import Any

import keras

from vpr_tf.layers.margin_head import MarginHead


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
