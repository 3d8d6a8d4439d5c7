"""Keras layers of the field: pooling, normalisation and margin heads."""

from vpr_tf.layers.cosine_margin_head import CosineMarginHead
from vpr_tf.layers.fused_batch_normalization import FusedBatchNormalization
from vpr_tf.layers.generalized_mean_pooling import GeneralizedMeanPooling2D
from vpr_tf.layers.l2_normalization import L2Normalization

__all__ = [
    "CosineMarginHead",
    "FusedBatchNormalization",
    "GeneralizedMeanPooling2D",
    "L2Normalization",
]
