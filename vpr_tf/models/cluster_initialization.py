"""First clusters of NetVLAD from the local features of images."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np

from vpr_tf.layers import NetVLAD

MAX_FEATURES = 50_000
FEATURES_PER_IMAGE = 100


def needs_clusters(encoder: keras.Model) -> bool:
    """Whether an encoder has a NetVLAD layer whose clusters are still random."""
    layer = _aggregation(encoder)
    return isinstance(layer, NetVLAD) and layer.clusters_are_random


def initialize_clusters(
    encoder: keras.Model,
    batches: Iterable[Any],
    *,
    seed: int = 0,
    max_features: int = MAX_FEATURES,
    features_per_image: int = FEATURES_PER_IMAGE,
) -> int:
    """Sets the clusters of an encoder's NetVLAD layer by k-means.

    Args:
        encoder: A `GeoLocalizationNet` with NetVLAD, its backbone ready.
        batches: Images `(batch, height, width, 3)` in [0, 1]; sizes may differ.
        seed: Seed of the locations and of k-means.
        max_features: Where to stop reading images.
        features_per_image: Locations that are drawn from each image at most.

    Returns:
        The number of features.

    Raises:
        ValueError: The encoder has no NetVLAD layer, or the images give too few
            different features.

    Reference:
        Arandjelovic et al., "NetVLAD: CNN architecture for weakly supervised place
        recognition", arXiv:1511.07247.
    """
    layer = _aggregation(encoder)
    if not isinstance(layer, NetVLAD):
        raise ValueError(
            "Only NetVLAD has clusters to initialise. Received the aggregation: "
            f"{type(layer).__name__}"
        )
    rng = np.random.default_rng(seed)
    local_features = keras.Model(encoder.input, layer.input)
    samples: list[np.ndarray] = []
    missing = max_features
    for images in batches:
        for features in local_features(images, training=False).numpy():
            drawn = _draw(features, min(features_per_image, missing), rng)
            samples.append(drawn)
            missing -= len(drawn)
        if missing <= 0:
            break
    if not samples:
        raise ValueError("NetVLAD's clusters need images. Received: no batch.")
    features = np.concatenate(samples)
    layer.initialize_clusters(features, seed)
    return len(features)


def _aggregation(encoder: keras.Model) -> keras.layers.Layer | None:
    layers = {layer.name: layer for layer in encoder.layers}
    return layers.get("aggregation")


def _draw(features: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    locations = features.reshape(-1, features.shape[-1]).astype("float32")
    rows = rng.permutation(len(locations))[:count]
    return locations[np.sort(rows)]
