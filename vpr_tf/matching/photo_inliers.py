"""Counts the key points that queries share with candidates, whatever holds them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

import numpy as np

from vpr_tf.localization import NotMatchedError
from vpr_tf.matching.geometry import FEWEST_PAIRS
from vpr_tf.matching.photo_matching import PhotoMatching

Image = Callable[[], np.ndarray]


class PhotoInliers:
    """An `InlierCounter` of images that are loaded when they are needed.

    Args:
        matching: Compares two photos.
        query: Returns the image of a query by its number.
        candidate: Returns what stands for a photo as long as it does not change, and
            what loads its image, by the photo's key.

    Attributes:
        matched_by: See `InlierCounter`.
    """

    def __init__(
        self,
        matching: PhotoMatching,
        query: Callable[[int], np.ndarray],
        candidate: Callable[[bytes], tuple[Hashable, Image]],
    ) -> None:
        self._matching, self._query, self._candidate = matching, query, candidate
        self.matched_by = matching.identity

    def count(self, query: int, keys: Sequence[bytes]) -> np.ndarray:
        """Counts the key points that a query shares with photos; see `InlierCounter`.

        Raises:
            NotMatchedError: The query has no key points, or a photo cannot be read.
        """
        features = self._matching.features(self._query(query))
        if len(features) < FEWEST_PAIRS:
            raise NotMatchedError(
                "the photo has too few key points, it is too small or too uniform"
            )
        counts = np.zeros(len(keys), np.int64)
        for number, key in enumerate(keys):
            try:
                kept_as, load = self._candidate(key)
                other = self._matching.kept_features(kept_as, load)
            except (OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or error
                name = key.decode(errors="replace")
                raise NotMatchedError(
                    f"the candidate {name} cannot be read: {reason}"
                ) from error
            counts[number] = len(self._matching.pair(features, other))
        return counts
