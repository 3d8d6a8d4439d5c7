"""Clusters of NetVLAD from the train split, as training starts from them."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from vpr_tf.config import ExperimentConfig, Preprocessing
from vpr_tf.data.image_batches import ImageBatches, SplitImages
from vpr_tf.data.prepared_dataset import PreparedDataset
from vpr_tf.data.record_reading import damaged_records_named
from vpr_tf.models.cluster_initialization import (
    FEATURES_PER_IMAGE,
    MAX_FEATURES,
    initialize_clusters,
)

_MAX_IMAGES = 4 * MAX_FEATURES // FEATURES_PER_IMAGE


def initialize_clusters_from_train(
    encoder: keras.Model, dataset: PreparedDataset, config: ExperimentConfig
) -> str:
    """Sets the clusters of an encoder's NetVLAD layer from images of `train`.

    The images, the same for a seed, are resized to squares of `train.image_size`.

    Args:
        encoder: A `GeoLocalizationNet` with NetVLAD, its backbone ready.
        dataset: The prepared dataset.
        config: Seed, image size and batch size.

    Returns:
        What was done, for people.

    Raises:
        DatasetError: There is no train split.
        ValueError: The images give too few different features.
    """
    split = dataset.split("train")
    count = min(_MAX_IMAGES, len(split))
    rng = np.random.default_rng(config.seed)
    # Small maps give fewer features an image; reading stops when there are enough.
    record_ids = rng.permutation(len(split))[:count]
    batches: Any = ImageBatches(
        SplitImages(split),
        Preprocessing("square", config.train.image_size),
        config.evaluation.batch_size,
    ).read(record_ids)
    with damaged_records_named(split, lambda: record_ids):
        num_features = initialize_clusters(
            encoder, (images for images, _ in batches), seed=config.seed
        )
    num_clusters = encoder.get_layer("aggregation").num_clusters
    return (
        f"{num_clusters} clusters of NetVLAD by k-means on {num_features:,} local "
        "features of train"
    )
