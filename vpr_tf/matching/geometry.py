"""Which pairs of key points can be the same points of a scene, seen from two places."""

from __future__ import annotations

import numpy as np

from vpr_tf.extras import import_extra

_CONFIDENCE = 0.999
_MOST_ITERATIONS = 1000
# A homography has 4 pairs that fit exactly, a fundamental matrix 7: no evidence.
FEWEST_PAIRS = 8


def inliers(
    query_xy: np.ndarray, candidate_xy: np.ndarray, tolerance_px: float
) -> np.ndarray:
    """Finds the pairs that one geometry of two views explains.

    Of a plane (homography) or of a scene with depth (fundamental matrix), whichever
    explains more.

    Args:
        query_xy: Pixels `(num_pairs, 2)`.
        candidate_xy: Likewise.
        tolerance_px: Most distance to where the geometry puts a point.

    Returns:
        Bool `(num_pairs,)`.

    Raises:
        ImportError: The extra `rerank` is not installed.

    Reference:
        Barath et al., "MAGSAC++, a Fast, Reliable and Accurate Robust Estimator", CVPR
        2020, arXiv:1912.05909.
    """
    num_pairs = len(query_xy)
    none = np.zeros(num_pairs, bool)
    if num_pairs < FEWEST_PAIRS:
        return none
    cv2 = import_extra("cv2", "rerank")
    pairs = [np.ascontiguousarray(xy, np.float64) for xy in (query_xy, candidate_xy)]
    method, limits = (cv2.USAC_MAGSAC, tolerance_px), (_CONFIDENCE, _MOST_ITERATIONS)
    masks = [none]
    try:
        masks += [
            cv2.findHomography(*pairs, *method, None, *reversed(limits))[1],
            cv2.findFundamentalMat(*pairs, *method, *limits)[1],
        ]
    except cv2.error:  # points that lie on a line, or are one
        return none
    found = [mask.ravel().astype(bool) for mask in masks if mask is not None]
    best = max(found, key=np.sum)
    return best if best.sum() >= FEWEST_PAIRS else none
