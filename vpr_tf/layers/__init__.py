"""Keras layers of the field: pooling, normalisation and training heads."""

from vpr_tf.layers._construction import dtype_policy, torch_linear
from vpr_tf.layers.aggregation_tokens import AggregationTokens
from vpr_tf.layers.arithmetic_mean_pooling import ArithmeticMeanPooling2D
from vpr_tf.layers.attention_pooling import AttentionPooling2D
from vpr_tf.layers.bag_of_queries import BagOfQueries
from vpr_tf.layers.bottleneck_adapter import BottleneckAdapter
from vpr_tf.layers.class_token import ClassToken
from vpr_tf.layers.cross_entropy_head import CrossEntropyHead
from vpr_tf.layers.direct_regression_head import DirectRegressionHead
from vpr_tf.layers.equal_earth_projection import EqualEarthProjection
from vpr_tf.layers.fourier_features import FourierFeatures
from vpr_tf.layers.fused_batch_normalization import (
    FusedBatchNormalization,
    with_fused_batch_norm,
)
from vpr_tf.layers.generalized_mean_pooling import GeneralizedMeanPooling2D
from vpr_tf.layers.gradient_reversal import GradientReversal
from vpr_tf.layers.hypersphere import hypersphere_to_place, place_to_hypersphere
from vpr_tf.layers.hypersphere_regression_head import HypersphereRegressionHead
from vpr_tf.layers.interpolated_position_embedding import InterpolatedPositionEmbedding
from vpr_tf.layers.l2_normalization import L2Normalization
from vpr_tf.layers.layer_scale import LayerScale
from vpr_tf.layers.learned_tokens import LearnedTokens
from vpr_tf.layers.margin_heads import AngularMarginHead, CosineMarginHead, MarginHead
from vpr_tf.layers.maximum_activation_pooling import MaximumActivationPooling2D
from vpr_tf.layers.mixvpr import MixVPR
from vpr_tf.layers.netvlad import NetVLAD
from vpr_tf.layers.place_regression_head import PlaceRegressionHead
from vpr_tf.layers.regional_maximum_pooling import RegionalMaximumPooling2D
from vpr_tf.layers.resize_to_patch_multiples import ResizeToPatchMultiples
from vpr_tf.layers.salad import SALAD
from vpr_tf.layers.soft_label_head import SoftLabelHead
from vpr_tf.layers.supervlad import SuperVLAD
from vpr_tf.layers.token_sequence import SequenceToTokens, TokensToSequence
from vpr_tf.layers.training_head import TrainingHead
from vpr_tf.layers.unit_regression_head import UnitRegressionHead
from vpr_tf.layers.von_mises_fisher_head import MixtureOfVonMisesFisherHead

__all__ = [
    "SALAD",
    "AggregationTokens",
    "AngularMarginHead",
    "ArithmeticMeanPooling2D",
    "AttentionPooling2D",
    "BagOfQueries",
    "BottleneckAdapter",
    "ClassToken",
    "CosineMarginHead",
    "CrossEntropyHead",
    "DirectRegressionHead",
    "EqualEarthProjection",
    "FourierFeatures",
    "FusedBatchNormalization",
    "GeneralizedMeanPooling2D",
    "GradientReversal",
    "HypersphereRegressionHead",
    "InterpolatedPositionEmbedding",
    "L2Normalization",
    "LayerScale",
    "LearnedTokens",
    "MarginHead",
    "MaximumActivationPooling2D",
    "MixVPR",
    "MixtureOfVonMisesFisherHead",
    "NetVLAD",
    "PlaceRegressionHead",
    "RegionalMaximumPooling2D",
    "ResizeToPatchMultiples",
    "SequenceToTokens",
    "SoftLabelHead",
    "SuperVLAD",
    "TokensToSequence",
    "TrainingHead",
    "UnitRegressionHead",
    "dtype_policy",
    "hypersphere_to_place",
    "place_to_hypersphere",
    "torch_linear",
    "with_fused_batch_norm",
]
