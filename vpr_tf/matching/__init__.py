"""Key points of photos, and which of two photos are the same."""

from typing import TYPE_CHECKING

from vpr_tf._lazy import lazy_names

if TYPE_CHECKING:
    from vpr_tf.matching.dense import DenseMatcher
    from vpr_tf.matching.errors import MatchingError
    from vpr_tf.matching.local_features import ImageMatcher, LocalFeatures
    from vpr_tf.matching.matchers import SiftMatcher, XFeatMatcher
    from vpr_tf.matching.photo_matching import PhotoMatching
    from vpr_tf.matching.xfeat import XFeat

__all__ = [
    "DenseMatcher",
    "ImageMatcher",
    "LocalFeatures",
    "MatchingError",
    "PhotoMatching",
    "SiftMatcher",
    "XFeat",
    "XFeatMatcher",
]
__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "DenseMatcher": "vpr_tf.matching.dense",
        "ImageMatcher": "vpr_tf.matching.local_features",
        "LocalFeatures": "vpr_tf.matching.local_features",
        "MatchingError": "vpr_tf.matching.errors",
        "PhotoMatching": "vpr_tf.matching.photo_matching",
        "SiftMatcher": "vpr_tf.matching.matchers",
        "XFeat": "vpr_tf.matching.xfeat",
        "XFeatMatcher": "vpr_tf.matching.matchers",
    },
)
