"""Key points of photos, and what compares those of two photos."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

TOLERANCE_PX = 3.0


@dataclass(frozen=True, eq=False)
class LocalFeatures:
    """Key points of one image.

    Attributes:
        image_size: Height and width of the image that was looked at.
        points_xy: Pixels of it, float32 `(num_points, 2)`.
        descriptors: Float32 of length 1, `(num_points, dim)`; of the best point first.
        tolerance_px: How far a point may be off where a geometry of two photos puts
            it.
        photo_size: Height and width of the photo that the image was made of; None
            where it is the photo.
    """

    image_size: tuple[int, int]
    points_xy: np.ndarray
    descriptors: np.ndarray
    tolerance_px: float = TOLERANCE_PX
    photo_size: tuple[int, int] | None = None

    @property
    def size_of_photo(self) -> tuple[int, int]:
        """What `photo_size` says, or the size of the image."""
        return self.photo_size or self.image_size

    def __len__(self) -> int:
        return len(self.points_xy)


class ImageMatcher(Protocol):
    """Finds which key points of two photos are the same.

    Attributes:
        name: As `localization.rerank.matcher`.
        identity: What two must share to find the same pairs.
    """

    name: str
    identity: str

    def extract(self, image: np.ndarray) -> LocalFeatures:
        """Finds the key points of an image.

        Args:
            image: RGB uint8 `(height, width, 3)`.
        """

    def match(self, query: LocalFeatures, candidate: LocalFeatures) -> np.ndarray:
        """Pairs the key points of two photos.

        Returns:
            Rows of `query` and of `candidate`, int64 `(num_pairs, 2)`.
        """


def mutual_neighbours(
    query: np.ndarray,
    candidate: np.ndarray,
    *,
    min_similarity: float = -1.0,
    max_distance_ratio: float | None = None,
) -> np.ndarray:
    """Pairs descriptors that are each other's most similar one.

    Args:
        query: Of length 1, `(num_query_points, dim)`.
        candidate: Likewise.
        min_similarity: Least cosine similarity of a pair.
        max_distance_ratio: Most distance to the nearest candidate, divided by that to
            the second one; None to not ask.

    Returns:
        Rows of both, int64 `(num_pairs, 2)`.

    Reference:
        Lowe, "Distinctive Image Features from Scale-Invariant Keypoints", IJCV 2004
        (the ratio).
    """
    if not len(query) or not len(candidate):
        return np.zeros((0, 2), np.int64)
    similarity = query @ candidate.T
    nearest = similarity.argmax(axis=1)
    rows = np.arange(len(query))
    best = similarity[rows, nearest]
    # `argmax` of columns takes ten times as long as `max`.
    is_mutual = best == similarity.max(axis=0)[nearest]
    kept = is_mutual & (best >= min_similarity)
    if max_distance_ratio is not None and len(candidate) > 1:
        second = np.partition(similarity, -2, axis=1)[:, -2]
        # Squared distances of descriptors of length 1.
        kept &= (2 - 2 * best) <= max_distance_ratio**2 * (2 - 2 * second)
    return np.stack([rows[kept], nearest[kept]], axis=1).astype(np.int64)
