"""The matcher that a config names."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from vpr_tf.config import RerankConfig
from vpr_tf.extras import import_extra
from vpr_tf.matching.local_features import ImageMatcher
from vpr_tf.matching.photo_matching import PhotoMatching

if TYPE_CHECKING:
    from vpr_tf.extraction import FeatureExtractor


def open_matching(
    config: RerankConfig, extractor: Callable[[], FeatureExtractor]
) -> PhotoMatching:
    """Returns what compares photos as a config says.

    Args:
        config: Names the matcher and its weights.
        extractor: Returns the encoder, for the matcher `dense`.

    Raises:
        ImportError: The extra `rerank` is not installed.
        MatchingError: The matcher has no weights, or cannot use the encoder.
        ValueError: The weights are damaged.
    """
    import_extra("cv2", "rerank")
    return PhotoMatching(_matcher(config, extractor), image_size=config.image_size)


def _matcher(
    config: RerankConfig, extractor: Callable[[], FeatureExtractor]
) -> ImageMatcher:
    from vpr_tf.matching.matchers import SiftMatcher, XFeatMatcher

    if config.matcher == "xfeat":
        return XFeatMatcher(weights=config.weights)
    if config.matcher == "sift":
        return SiftMatcher()
    from vpr_tf.matching.dense import DenseMatcher

    return DenseMatcher(extractor())
