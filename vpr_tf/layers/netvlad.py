"""NetVLAD: soft assignment of local features to clusters."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from vpr_tf.layers._construction import check_feature_map
from vpr_tf.layers.l2_normalization import unit_vectors

# The nearest cluster weighs so many times as much as the second, on average.
_NEAREST_OVER_SECOND = 100.0


@keras.saving.register_keras_serializable(package="vpr_tf")
class NetVLAD(keras.layers.Layer):
    """Sums the residuals of local features to learned cluster centroids.

    Each location is assigned to the clusters by a softmax over a 1x1 convolution
    without bias; the residuals of a cluster are summed over the map and normalised
    to unit length, as are all clusters together. Computes in float32 whatever the
    dtype policy, and returns the compute dtype.

    The initial weights are random and always the same. Replace them by
    `initialize_clusters` before training.

    Args:
        num_clusters: Number of clusters, K.
        normalize_input: Whether each location is divided by its L2 norm first.
        **kwargs: Keyword arguments of `keras.layers.Layer`.

    Input shape:
        `(batch, height, width, channels)`.

    Output shape:
        `(batch, num_clusters * channels)`, unit length, cluster after cluster.

    Reference:
        Arandjelovic et al., "NetVLAD: CNN architecture for weakly supervised place
        recognition", arXiv:1511.07247.
    """

    def __init__(
        self, num_clusters: int = 64, normalize_input: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if num_clusters < 2:
            raise ValueError(
                "`num_clusters` must be 2 or more, e.g. 64. "
                f"Received: num_clusters={num_clusters}"
            )
        self.num_clusters = num_clusters
        self.normalize_input = normalize_input

    def build(self, input_shape):
        check_feature_map("NetVLAD", input_shape)
        channels = input_shape[3]
        limit = channels**-0.5
        self.assignment = self.add_weight(
            name="assignment",
            shape=(channels, self.num_clusters),
            dtype="float32",
            initializer=keras.initializers.RandomUniform(-limit, limit, seed=0),
            autocast=False,
        )
        self.centroids = self.add_weight(
            name="centroids",
            shape=(self.num_clusters, channels),
            dtype="float32",
            initializer=_random_centroids,
            autocast=False,
        )

    def call(self, inputs):
        x = ops.cast(inputs, "float32")
        _, height, width, channels = ops.shape(x)
        x = ops.reshape(x, (-1, height * width, channels))
        if self.normalize_input:
            x = unit_vectors(x)
        weights = ops.softmax(ops.matmul(x, ops.convert_to_tensor(self.assignment)))
        # sum_n w_n (x_n - c) = sum_n w_n x_n - c sum_n w_n
        weighted = ops.matmul(ops.transpose(weights, (0, 2, 1)), x)
        totals = ops.sum(weights, axis=1)[:, :, None]
        residuals = weighted - totals * ops.convert_to_tensor(self.centroids)
        residuals = unit_vectors(residuals)
        outputs = ops.reshape(residuals, (-1, self.num_clusters * channels))
        return ops.cast(unit_vectors(outputs), self.compute_dtype)

    @property
    def clusters_are_random(self) -> bool:
        """Whether the centroids are those that a new layer has."""
        return np.array_equal(self.centroids, _random_centroids(self.centroids.shape))

    def initialize_clusters(self, features: np.ndarray, seed: int = 0) -> None:
        """Sets centroids and assignment by k-means, in the same way for a seed.

        The assignment's weights are the directions of the centroids, times a factor
        with which the nearest cluster weighs 100 times as much as the second for the
        mean feature.

        Args:
            features: Local features, `(num_features, channels)`, as they come in.
            seed: Seed of k-means.

        Raises:
            ValueError: The layer is not built, or the features have another shape,
                are not finite, or are too few to make so many clusters.
        """
        centroids = self._cluster(features := self._prepared(features), seed)
        directions = _normalized(centroids)
        nearest = np.sort(features @ directions.T, axis=1)[:, -2:].astype("float64")
        gap = float(np.mean(nearest[:, 1] - nearest[:, 0]))
        if not gap > 0:
            raise ValueError(
                "NetVLAD's clusters must have different directions. Received: features "
                "that are as near to their second cluster as to the first. Use more "
                "images, or fewer clusters."
            )
        factor = math.log(_NEAREST_OVER_SECOND) / gap
        self.centroids.assign(centroids)
        self.assignment.assign(factor * directions.T)

    def _prepared(self, features: np.ndarray) -> np.ndarray:
        features = np.asarray(features, "float32")
        channels = self.centroids.shape[1] if self.built else None
        if features.ndim != 2 or features.shape[1] != channels:
            raise ValueError(
                f"`features` must have shape (num_features, {channels}), after the "
                f"layer is built. Received: features.shape={features.shape}"
            )
        if not np.isfinite(features).all():
            raise ValueError(
                "`features` must be finite. Received: NaN or infinity. Check the "
                "weights of the backbone."
            )
        return _normalized(features) if self.normalize_input else features

    def _cluster(self, features: np.ndarray, seed: int) -> np.ndarray:
        from sklearn.cluster import KMeans
        from threadpoolctl import threadpool_limits

        num_distinct = len(np.unique(features, axis=0))
        if num_distinct < self.num_clusters:
            raise ValueError(
                f"NetVLAD's {self.num_clusters} clusters need as many different "
                f"features. Received: {num_distinct}. Use more images, or fewer "
                "clusters."
            )
        kmeans = KMeans(self.num_clusters, n_init=1, max_iter=100, random_state=seed)
        # Threads add up their sums in any order: the same bytes need one thread.
        with threadpool_limits(1):
            return kmeans.fit(features).cluster_centers_.astype("float32")

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.num_clusters * input_shape[3])

    def get_config(self):
        config = super().get_config()
        config.update(
            {
                "num_clusters": self.num_clusters,
                "normalize_input": self.normalize_input,
            }
        )
        return config


def _random_centroids(shape: tuple[int, ...], dtype: Any = "float32") -> Any:
    # Always the same, by which `clusters_are_random` knows them.
    return keras.initializers.RandomUniform(0.0, 1.0, seed=1)(shape, dtype)


def _normalized(features: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return features / np.maximum(lengths, np.float32(1e-12))
