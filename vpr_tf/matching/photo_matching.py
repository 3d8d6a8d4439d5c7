"""Matches queries with candidates, whose key points are kept in memory."""

from __future__ import annotations

import dataclasses
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable

import numpy as np

from vpr_tf.data.pillow_decoding import shrink_image
from vpr_tf.localization import MatchedPoints
from vpr_tf.matching.geometry import inliers
from vpr_tf.matching.local_features import ImageMatcher, LocalFeatures

_KEPT_PHOTOS = 2000  # of at most 0.3 MB each


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
        self.matcher, self.image_size = matcher, image_size
        self._num_kept = num_kept
        self._kept: OrderedDict[Hashable, LocalFeatures] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def identity(self) -> str:
        """What two must share to count the same."""
        return f"{self.matcher.identity}, {self.image_size} px"

    def features(
        self, image: np.ndarray, photo_size: tuple[int, int] | None = None
    ) -> LocalFeatures:
        """Finds the key points of an image.

        Args:
            image: RGB, grey levels from 0 to 255, `(height, width, 3)`.
            photo_size: Height and width of the photo that it was made of; None where
                it is the photo.
        """
        found = self.matcher.extract(shrink_image(image, self.image_size))
        height, width = photo_size or image.shape[:2]
        return dataclasses.replace(found, photo_size=(int(height), int(width)))

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
            _of_photo(points[kept], query),
            _of_photo(others[kept], candidate),
            query.size_of_photo,
            candidate.size_of_photo,
        )


def _of_photo(points_xy: np.ndarray, features: LocalFeatures) -> np.ndarray:
    """Returns pixels of the photo that an image was made of."""
    photo = np.array(features.size_of_photo, np.float32)
    return points_xy * (photo / np.array(features.image_size, np.float32))[::-1]
