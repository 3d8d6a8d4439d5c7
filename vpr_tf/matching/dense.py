"""Patches of the feature map that an encoder computes its descriptor from."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from vpr_tf.data.pillow_decoding import resize_for_evaluation
from vpr_tf.extraction import FeatureExtractor
from vpr_tf.matching.errors import MatchingError
from vpr_tf.matching.local_features import LocalFeatures, mutual_neighbours
from vpr_tf.models import GeoLocalizationNet


class DenseMatcher:
    """Patches of the encoder's own feature map, paired with mutual nearest neighbours.

    It needs no other network. Patches are large, so the geometry is coarse.

    Args:
        extractor: Of an encoder that is a `GeoLocalizationNet`.

    Raises:
        MatchingError: Its encoder is another, or has no feature map.
    """

    name = "dense"

    def __init__(self, extractor: FeatureExtractor) -> None:
        encoder = extractor.encoder
        if not isinstance(encoder, GeoLocalizationNet):
            raise MatchingError(
                "The matcher dense needs an encoder whose feature map can be read, a "
                f"`GeoLocalizationNet`. Received: {type(encoder).__name__}. Take the "
                "matcher xfeat or sift."
            )
        network = encoder.feature_extractor()
        if len(network.output_shape) != 4:
            raise MatchingError(
                "The matcher dense needs a feature map (height, width, channels). "
                f"Received: {encoder.backbone_name}, which gives a row of tokens. Take "
                "the matcher xfeat or sift."
            )
        self._preprocessing = extractor.preprocessing
        any_size = tf.TensorSpec((1, None, None, 3), tf.float32)
        self._map = tf.function(
            lambda images: network(images, training=False), [any_size]
        )
        self.identity = f"{self.name} {extractor.fingerprint[:12]}"

    def extract(self, image: np.ndarray) -> LocalFeatures:
        """Returns the patches of an image; see `ImageMatcher`."""
        pixels = resize_for_evaluation(image, self._preprocessing)
        features = self._map(pixels[None]).numpy()[0].astype(np.float32)
        rows, columns, channels = features.shape
        size = image.shape[0], image.shape[1]
        patch_px = size[0] / rows, size[1] / columns
        row, column = np.mgrid[:rows, :columns] + 0.5
        points_xy = np.stack([column * patch_px[1], row * patch_px[0]], axis=-1)
        lengths = np.linalg.norm(features, axis=2, keepdims=True)
        unit = features / np.maximum(lengths, 1e-12)
        return LocalFeatures(
            size,
            points_xy.reshape(-1, 2).astype(np.float32),
            unit.reshape(-1, channels),
            tolerance_px=max(patch_px),
        )

    def match(self, query: LocalFeatures, candidate: LocalFeatures) -> np.ndarray:
        """Pairs the patches of two photos; see `ImageMatcher`."""
        return mutual_neighbours(query.descriptors, candidate.descriptors)
