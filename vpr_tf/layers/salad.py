"""Aggregation of patches into clusters by optimal transport (SALAD)."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from vpr_tf.layers._construction import torch_linear
from vpr_tf.layers.l2_normalization import L2Normalization
from vpr_tf.layers.sinkhorn import transport_to_clusters

TOKENS = ("class_token", "mean", "none")


# Files that hold it have it under this name.
@keras.saving.register_keras_serializable("vpr_tf", "OptimalTransportAggregation")
class SALAD(keras.layers.Layer):
    """Sums the patches of each cluster, to which optimal transport assigns them.

    Two perceptrons turn each patch into scores for the clusters and into a local
    descriptor. Sinkhorn's iterations turn the scores into assignments under which each
    cluster receives the same mass and a dust bin the rest. The sums of each cluster,
    and a global token from a third perceptron, are divided by their L2 norms,
    concatenated (token first; then the clusters of the first channel, of the second,
    ...) and divided by the norm of all.

    The dust bin's score `dust_bin`, a scalar that the released weights have, changes
    nothing: it is the same for all patches, and the first iteration cancels it.

    There must be more patches than clusters, since the dust bin receives the mass of
    the difference. Assignments and norms are float32 whatever the dtype policy.

    Args:
        num_clusters: Number of clusters.
        cluster_dim: Channels of a cluster's sum; MegaLoc has 256.
        token_dim: Channels of the global token.
        hidden_dim: Units of the hidden layer of each perceptron.
        dropout: Share of the hidden units for scores and local descriptors that
            training drops.
        sinkhorn_iterations: Number of iterations.
        token: What the global token is made from: `class_token`, as published;
            `mean`, the mean of the patches, for networks without one; or `none`, which
            leaves it out.
        **kwargs: Keyword arguments of `keras.layers.Layer`.

    Input shape:
        With `token="class_token"` a list of the patches
        `(batch, height, width, channels)` and the class token `(batch, channels)`;
        otherwise the patches alone.

    Output shape:
        `(batch, token_dim + num_clusters * cluster_dim)`, without `token_dim` for
        `token="none"`. Unit length.

    Raises:
        ValueError: There are no more patches than clusters; where their number is only
            known when a graph runs, it is a `tf.errors.InvalidArgumentError`.

    Reference:
        Izquierdo and Civera, "Optimal Transport Aggregation for Visual Place
        Recognition" (SALAD), arXiv:2311.15937.
    """

    def __init__(
        self,
        num_clusters: int = 64,
        cluster_dim: int = 128,
        token_dim: int = 256,
        hidden_dim: int = 512,
        dropout: float = 0.3,
        sinkhorn_iterations: int = 3,
        token: str = "class_token",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        sizes = {
            "num_clusters": num_clusters,
            "cluster_dim": cluster_dim,
            "token_dim": token_dim,
            "hidden_dim": hidden_dim,
            "sinkhorn_iterations": sinkhorn_iterations,
        }
        for name, value in sizes.items():
            if value < 1:
                raise ValueError(f"`{name}` must be 1 or more. Received: {value}")
        if not 0 <= dropout < 1:
            raise ValueError(
                f"`dropout` must be at least 0 and below 1. Received: dropout={dropout}"
            )
        if token not in TOKENS:
            raise ValueError(
                f"`token` must be one of {', '.join(TOKENS)}. Received: {token!r}"
            )
        self.num_clusters = num_clusters
        self.cluster_dim = cluster_dim
        self.token_dim = token_dim
        self.hidden_dim = hidden_dim
        self.dropout_rate = dropout
        self.sinkhorn_iterations = sinkhorn_iterations
        self.token = token

    def build(self, input_shape):
        patches_shape = self._patches_shape(input_shape)
        if len(patches_shape) != 4:
            raise ValueError(
                "Optimal transport takes patches of shape (batch, height, width, "
                f"channels). Received: input_shape={input_shape}"
            )
        self._check_number_of_patches(*patches_shape[1:3])
        channels = patches_shape[-1]
        self.dust_bin = self.add_weight(
            name="dust_bin",
            shape=(),
            dtype="float32",
            initializer="ones",
            autocast=False,
        )
        self.score = self._perceptron("score", channels, self.num_clusters)
        self.cluster_features = self._perceptron(
            "cluster_features", channels, self.cluster_dim
        )
        if self.token != "none":
            self.token_features = self._perceptron(
                "token_features", channels, self.token_dim
            )
        self.drop = keras.layers.Dropout(self.dropout_rate, dtype=self.dtype_policy)
        self.normalize_sums = L2Normalization(axis=1, dtype="float32")
        self.normalize = L2Normalization(dtype="float32")

    def call(self, inputs, training=None):
        patches = inputs[0] if self.token == "class_token" else inputs
        batch, height, width, channels = ops.shape(patches)
        self._check_number_of_patches(height, width)
        patches = ops.reshape(patches, (batch, height * width, channels))
        scores = self._apply(self.score, patches, training)
        features = self._apply(self.cluster_features, patches, training)
        shares = transport_to_clusters(scores, self.dust_bin, self.sinkhorn_iterations)
        features = ops.cast(features, "float32")
        sums = self.normalize_sums(
            ops.matmul(ops.transpose(features, (0, 2, 1)), shares)
        )
        outputs = ops.reshape(sums, (batch, self.cluster_dim * self.num_clusters))
        if self.token != "none":
            source = ops.mean(patches, axis=1) if self.token == "mean" else inputs[1]
            hidden, output = self.token_features
            token = self.normalize(ops.cast(output(hidden(source)), "float32"))
            outputs = ops.concatenate([token, outputs], axis=1)
        return ops.cast(self.normalize(outputs), self.compute_dtype)

    def compute_output_shape(self, input_shape):
        token_dim = 0 if self.token == "none" else self.token_dim
        batch = self._patches_shape(input_shape)[0]
        return (batch, token_dim + self.num_clusters * self.cluster_dim)

    def get_config(self):
        config = super().get_config()
        config.update(
            {
                "num_clusters": self.num_clusters,
                "cluster_dim": self.cluster_dim,
                "token_dim": self.token_dim,
                "hidden_dim": self.hidden_dim,
                "dropout": self.dropout_rate,
                "sinkhorn_iterations": self.sinkhorn_iterations,
                "token": self.token,
            }
        )
        return config

    def _patches_shape(self, input_shape: Any) -> tuple[Any, ...]:
        return tuple(input_shape[0] if self.token == "class_token" else input_shape)

    def _perceptron(
        self, name: str, channels: int, units: int
    ) -> list[keras.layers.Dense]:
        """Two built dense layers with the initial weights of torch."""
        layers = []
        for suffix, inputs, outputs, activation in (
            ("hidden", channels, self.hidden_dim, "relu"),
            ("output", self.hidden_dim, units, None),
        ):
            layer = torch_linear(
                inputs,
                outputs,
                activation=activation,
                dtype=self.dtype_policy,
                name=f"{name}_{suffix}",
            )
            layer.build((None, inputs))
            layers.append(layer)
        return layers

    def _apply(
        self, perceptron: list[keras.layers.Dense], patches: Any, training: bool | None
    ) -> Any:
        hidden, output = perceptron
        return output(self.drop(hidden(patches), training=training))

    def _check_number_of_patches(self, height: Any, width: Any) -> None:
        if height is None or width is None:
            return
        rule = (
            "Optimal transport needs more patches than clusters, because a dust bin "
            f"takes the patches beyond the {self.num_clusters} clusters. Use larger "
            "images, fewer `num_clusters` or a backbone with a smaller stride."
        )
        if not isinstance(height, int) or not isinstance(width, int):
            # Without it the logarithm of a negative number would make all NaN.
            tf.debugging.assert_greater(height * width, self.num_clusters, message=rule)
        elif height * width <= self.num_clusters:
            raise ValueError(f"{rule} Received: {height} x {width} patches")
