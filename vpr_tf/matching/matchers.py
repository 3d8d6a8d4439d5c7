"""The matchers: XFeat, and SIFT of OpenCV, which needs no weights."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import tensorflow as tf

from vpr_tf.extras import import_extra
from vpr_tf.matching.local_features import LocalFeatures, mutual_neighbours
from vpr_tf.matching.xfeat import DIM, STRIDE, XFeat
from vpr_tf.matching.xfeat_points import points_of_maps
from vpr_tf.matching.xfeat_weights import load_xfeat


class XFeatMatcher:
    """Key points of XFeat, paired with their mutual nearest neighbours.

    Args:
        network: With its weights; None loads those of `weights`.
        weights: What `vpr convert --matcher xfeat` wrote.
        num_points: Key points that are kept of an image.

    Raises:
        MatchingError: No weights are named, or there are none.
        ValueError: The weights are damaged.

    Reference:
        Potje et al., "XFeat: Accelerated Features for Lightweight Image Matching",
        CVPR 2024, arXiv:2404.19174.
    """

    name = "xfeat"
    min_similarity = 0.82

    def __init__(
        self,
        network: XFeat | None = None,
        *,
        weights: str | Path | None = None,
        num_points: int = 1024,
    ) -> None:
        self._network = network = load_xfeat(weights) if network is None else network
        self._num_points = num_points
        values = b"".join(weight.numpy().tobytes() for weight in network.weights)
        digest = hashlib.sha256(values).hexdigest()[:12]
        self.identity = f"{self.name} {digest}, {num_points} points"
        any_size = tf.TensorSpec((1, None, None, 3), tf.float32)
        self._maps = tf.function(lambda images: network(images), [any_size])

    def extract(self, image: np.ndarray) -> LocalFeatures:
        """Finds the key points of an image; see `ImageMatcher`.

        Its size is cut to multiples of 32. A smaller image has no key points.
        """
        height, width, _ = image.shape
        size = np.array([height, width])
        cut = size // STRIDE * STRIDE
        if not cut.all():
            none = np.zeros((0, DIM), np.float32)
            return LocalFeatures((height, width), none[:, :2], none)
        pixels = tf.image.resize(tf.constant(image)[None], cut) / 255.0
        features, logits, reliability = (one.numpy()[0] for one in self._maps(pixels))
        found = points_of_maps(features, logits, reliability, self._num_points)
        scale = (size / cut)[::-1].astype(np.float32)
        return LocalFeatures((height, width), found.xy * scale, found.descriptors)

    def match(self, query: LocalFeatures, candidate: LocalFeatures) -> np.ndarray:
        """Pairs the key points of two photos; see `ImageMatcher`."""
        return mutual_neighbours(
            query.descriptors,
            candidate.descriptors,
            min_similarity=self.min_similarity,
        )


class SiftMatcher:
    """Key points of SIFT, paired with their mutual nearest neighbours.

    Args:
        num_points: Key points that are kept of an image.

    Raises:
        ImportError: The extra `rerank` is not installed.

    Reference:
        Lowe, "Distinctive Image Features from Scale-Invariant Keypoints", IJCV 2004;
        Arandjelovic and Zisserman, "Three Things Everyone Should Know to Improve Object
        Retrieval", CVPR 2012 (the square root of its descriptors).
    """

    name = "sift"
    max_distance_ratio = 0.85

    def __init__(self, num_points: int = 1024) -> None:
        cv2 = import_extra("cv2", "rerank")
        self._num_points = num_points
        self._sift = cv2.SIFT_create(nfeatures=num_points)
        self._to_grey = lambda image: cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        self.identity = f"{self.name}, {num_points} points"

    def extract(self, image: np.ndarray) -> LocalFeatures:
        """Finds the key points of an image; see `ImageMatcher`."""
        size = image.shape[0], image.shape[1]
        grey = self._to_grey(np.ascontiguousarray(image))
        points, histograms = self._sift.detectAndCompute(grey, None)
        if not points:
            none = np.zeros((0, 128), np.float32)
            return LocalFeatures(size, none[:, :2], none)
        sums = histograms.sum(axis=1, keepdims=True)
        order = np.argsort([-point.response for point in points], kind="stable")
        order = order[: self._num_points]  # it gives one more where two are equal
        points_xy = np.array([points[row].pt for row in order], np.float32)
        roots = np.sqrt(histograms / np.maximum(sums, 1e-6))
        return LocalFeatures(size, points_xy, roots[order])

    def match(self, query: LocalFeatures, candidate: LocalFeatures) -> np.ndarray:
        """Pairs the key points of two photos; see `ImageMatcher`."""
        return mutual_neighbours(
            query.descriptors,
            candidate.descriptors,
            max_distance_ratio=self.max_distance_ratio,
        )
