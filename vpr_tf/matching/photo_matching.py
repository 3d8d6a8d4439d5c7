"""Matches queries with candidates, whose key points are kept in memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from vpr_tf.matching.geometry import inliers
from vpr_tf.matching.local_features import ImageMatcher, LocalFeatures

_KEPT_PHOTOS = 2000  # of at most 0.3 MB each


@dataclass(frozen=True, eq=False)
class MatchedPoints:
    """Key points of two photos that one geometry explains.

    Attributes:
        query_xy: Shares of width and height, 0 to 1, float32 `(num_inliers, 2)`.
        candidate_xy: Likewise, of the candidate.
    """

    query_xy: np.ndarray
    candidate_xy: np.ndarray

    def __len__(self) -> int:
        return len(self.query_xy)


class PhotoMatching:
    """Counts how many key points two photos share; safe for several threads.

    Args:
        matcher: Finds and pairs key points.
        image_size: Photos whose longer side has more pixels are made smaller.
        num_kept: Photos whose key points are kept in memory.

    Example:
        >>> import numpy as np
        >>> from vpr_tf.matching import PhotoMatching, SiftMatcher
        >>> matching = PhotoMatching(SiftMatcher())
        >>> noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
        >>> image = noise.repeat(4, axis=0).repeat(4, axis=1)
        >>> points = matching.features(image)
        >>> len(matching.pair(points, points)) > 100
        True
    """

    def __init__(
        self,
        matcher: ImageMatcher,
        *,
        image_size: int = 640,
        num_kept: int = _KEPT_PHOTOS,
    ) -> None:
        self.matcher = matcher
        self._image_size, self._num_kept = image_size, num_kept
        self._kept: OrderedDict[Hashable, LocalFeatures] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def identity(self) -> str:
        """What two must share to count the same."""
        return f"{self.matcher.identity}, {self._image_size} px"

    def features(self, image: np.ndarray) -> LocalFeatures:
        """Finds the key points of an image.

        Args:
            image: RGB, grey levels from 0 to 255, `(height, width, 3)`.
        """
        height, width, _ = image.shape
        image = np.ascontiguousarray(image).astype(np.uint8)
        longer = max(height, width)
        if longer > self._image_size:
            scale = self._image_size / longer
            size = max(1, round(width * scale)), max(1, round(height * scale))
            smaller = Image.fromarray(image).resize(size, Image.Resampling.BILINEAR)
            image = np.asarray(smaller)
        return self.matcher.extract(image)

    def kept_features(
        self, key: Hashable, load: Callable[[], np.ndarray]
    ) -> LocalFeatures:
        """Finds the key points of a photo, or takes those that are kept.

        Args:
            key: Of the photo.
            load: Returns its image.

        Raises:
            Exception: What `load` raises.
        """
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        found = self.features(load())
        with self._lock:
            self._kept[key] = found
            while len(self._kept) > self._num_kept:
                self._kept.popitem(last=False)
        return found

    def pair(self, query: LocalFeatures, candidate: LocalFeatures) -> MatchedPoints:
        """Finds the key points that two photos share."""
        rows, other_rows = self.matcher.match(query, candidate).T
        points, others = query.points_xy[rows], candidate.points_xy[other_rows]
        tolerance_px = max(query.tolerance_px, candidate.tolerance_px)
        kept = inliers(points, others, tolerance_px)
        return MatchedPoints(
            _shares(points[kept], query.image_size),
            _shares(others[kept], candidate.image_size),
        )


def _shares(points_xy: np.ndarray, image_size: tuple[int, int]) -> np.ndarray:
    height, width = image_size
    return points_xy / np.array([width, height], np.float32)
