"""Key points that a query shares with a photo."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_DECIMALS = 1  # of a pixel


@dataclass(frozen=True, eq=False)
class MatchedPoints:
    """Key points of two photos that one geometry explains.

    Pixels are those of the upright photos, from the upper left corner.

    Attributes:
        query_xy: Of the query, float32 `(num_inliers, 2)`.
        candidate_xy: Likewise, of the candidate.
        query_size: Height and width of the query.
        candidate_size: Height and width of the candidate.
    """

    query_xy: np.ndarray
    candidate_xy: np.ndarray
    query_size: tuple[int, int]
    candidate_size: tuple[int, int]

    def __len__(self) -> int:
        return len(self.query_xy)


@dataclass(frozen=True)
class InlierPoints:
    """Where the key points lie that a photo shares with a match; JSON-ready.

    Attributes:
        photo_xy: In the photo, pixels of it from the upper left corner, upright.
        match_xy: In the match, in the same order.
        photo_width: Pixels of the photo.
        photo_height: Likewise.
        match_width: Pixels of the match.
        match_height: Likewise.
    """

    photo_xy: list[tuple[float, float]]
    match_xy: list[tuple[float, float]]
    photo_width: int
    photo_height: int
    match_width: int
    match_height: int

    @classmethod
    def of(cls, points: MatchedPoints) -> InlierPoints:
        """Returns points as they are written."""
        height, width = points.query_size
        match_height, match_width = points.candidate_size
        return cls(
            _rounded(points.query_xy),
            _rounded(points.candidate_xy),
            width,
            height,
            match_width,
            match_height,
        )


def _rounded(xy: np.ndarray) -> list[tuple[float, float]]:
    return [(round(x, _DECIMALS), round(y, _DECIMALS)) for x, y in xy.tolist()]
