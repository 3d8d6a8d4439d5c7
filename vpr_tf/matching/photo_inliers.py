"""Finds the key points that queries share with candidates, whatever holds them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from vpr_tf.localization import Compared, MatchedPoints, NotMatchedError
from vpr_tf.matching.geometry import FEWEST_PAIRS
from vpr_tf.matching.local_features import LocalFeatures
from vpr_tf.matching.photo_matching import PhotoMatching


class PhotoInliers:
    """An `InlierCounter` of photos whose key points are found when they are needed.

    Args:
        matching: Compares two photos.
        query: Returns the key points of a query by its number.
        candidate: Returns the key points of a photo by its row of the database and its
            key.

    Attributes:
        matched_by: See `InlierCounter`.
    """

    def __init__(
        self,
        matching: PhotoMatching,
        query: Callable[[int], LocalFeatures],
        candidate: Callable[[int, bytes], LocalFeatures],
    ) -> None:
        self._matching, self._query, self._candidate = matching, query, candidate
        self.matched_by = matching.identity

    def compare(
        self, query: int, rows: Sequence[int], keys: Sequence[bytes]
    ) -> Compared:
        """Compares a query with some photos; see `InlierCounter`.

        Raises:
            NotMatchedError: The query cannot be read any more or has no key points, or
                no photo can be read.
        """
        try:
            features = self._query(query)
        except (OSError, ValueError) as error:
            if isinstance(error, NotMatchedError):
                raise
            # It was there when it was described.
            raise NotMatchedError(f"the photo cannot be read again: {error}") from error
        if len(features) < FEWEST_PAIRS:
            raise NotMatchedError(
                "the photo has too few key points, it is too small or too uniform"
            )
        points: list[MatchedPoints | None] = []
        problems = []
        for row, key in zip(rows, keys, strict=True):
            try:
                other = self._candidate(row, key)
                _check_comparable(features, other)
            except (OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or error
                name = key.decode(errors="replace")
                problems.append(f"the candidate {name} cannot be read: {reason}")
                points.append(None)
                continue
            points.append(self._matching.pair(features, other))
        if problems and len(problems) == len(keys):
            raise NotMatchedError(_in_words(problems))
        return Compared(points, _in_words(problems))


def _check_comparable(query: LocalFeatures, candidate: LocalFeatures) -> None:
    """Refuses key points that are described by other numbers than the query's.

    Those that an index of others keeps may be anything, whatever they say of it.
    """
    wanted, found = (one.descriptors.shape[1] for one in (query, candidate))
    if len(candidate) and found != wanted:
        raise ValueError(
            f"its key points have {found} values each, those of the photo {wanted}"
        )


def _in_words(problems: list[str]) -> str:
    """Returns the first problem, and how many others there are."""
    others = len(problems) - 1
    return "".join(problems[:1]) + (f", nor {others:,} others" if others > 0 else "")
