"""Keras layers of the field: pooling, normalisation and margin heads."""

from vpr_tf.layers.cosine_margin_head import CosineMarginHead
from vpr_tf.layers.generalized_mean_pooling import GeneralizedMeanPooling2D
from vpr_tf.layers.l2_normalization import L2Normalization

__all__ = ["CosineMarginHead", "GeneralizedMeanPooling2D", "L2Normalization"]
