"""SuperVLAD: sums of local features over few clusters, without centroids."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from vpr_tf.layers._construction import check_feature_map
from vpr_tf.layers.l2_normalization import unit_vectors


@keras.saving.register_keras_serializable(package="vpr_tf")
class SuperVLAD(keras.layers.Layer):
    """Sums the local features of each cluster; those of ghost clusters are dropped.

    Each location is divided by its L2 norm and assigned to the clusters by a softmax
    over a 1x1 convolution without bias. The features of a cluster are summed and
    normalised to unit length, as are all clusters together. There are no centroids, so
    nothing depends on where the features of the training photos lay. Ghost clusters
    take what helps no place. Computes in float32 whatever the dtype policy, and
    returns the compute dtype.

    Args:
        num_clusters: Number of clusters that are kept.
        num_ghost_clusters: Number of clusters that are dropped.
        **kwargs: Keyword arguments of `keras.layers.Layer`.

    Input shape:
        `(batch, height, width, channels)`.

    Output shape:
        `(batch, num_clusters * channels)`, unit length, cluster after cluster.

    Reference:
        Lu et al., "SuperVLAD: Compact and Robust Image Descriptors for Visual Place
        Recognition", NeurIPS 2024.
    """

    def __init__(
        self, num_clusters: int = 4, num_ghost_clusters: int = 1, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if num_clusters < 1:
            raise ValueError(
                "`num_clusters` must be 1 or more, e.g. 4. "
                f"Received: num_clusters={num_clusters}"
            )
        if num_ghost_clusters < 0:
            raise ValueError(
                "`num_ghost_clusters` must be 0 or more, e.g. 1. "
                f"Received: num_ghost_clusters={num_ghost_clusters}"
            )
        if num_clusters + num_ghost_clusters < 2:
            raise ValueError(
                "One cluster needs a ghost cluster beside it; without, all locations "
                "weigh the same, as in `average`. Received: num_clusters="
                f"{num_clusters}, num_ghost_clusters={num_ghost_clusters}"
            )
        self.num_clusters = num_clusters
        self.num_ghost_clusters = num_ghost_clusters

    def build(self, input_shape):
        check_feature_map("SuperVLAD", input_shape)
        channels = input_shape[3]
        limit = channels**-0.5
        self.assignment = self.add_weight(
            name="assignment",
            shape=(channels, self.num_clusters + self.num_ghost_clusters),
            dtype="float32",
            initializer=keras.initializers.RandomUniform(-limit, limit),
            autocast=False,
        )

    def call(self, inputs):
        x = ops.cast(inputs, "float32")
        _, height, width, channels = ops.shape(x)
        x = unit_vectors(ops.reshape(x, (-1, height * width, channels)))
        weights = ops.softmax(ops.matmul(x, ops.convert_to_tensor(self.assignment)))
        weights = weights[:, :, : self.num_clusters]
        sums = unit_vectors(ops.matmul(ops.transpose(weights, (0, 2, 1)), x))
        outputs = ops.reshape(sums, (-1, self.num_clusters * channels))
        return ops.cast(unit_vectors(outputs), self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.num_clusters * input_shape[3])

    def get_config(self):
        config = super().get_config()
        config.update(
            {
                "num_clusters": self.num_clusters,
                "num_ghost_clusters": self.num_ghost_clusters,
            }
        )
        return config
