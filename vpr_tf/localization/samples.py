"""Queries that a calibration is fitted on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np


class CalibrationInput(Protocol):
    """What a calibration needs of answers: `Estimates` or `PlaceAnswers`."""

    @property
    def features(self) -> np.ndarray:
        """One row a query; NaN without an answer."""

    @property
    def num_votes(self) -> np.ndarray:
        """Matches or places that each query's features were computed from."""


@dataclass(frozen=True, eq=False)
class Samples:
    """Queries with the errors of their answers, and the same with their place removed.

    Attributes:
        features: See `FeatureSet`, `(num_queries, num_features)`, finite.
        errors_m: Errors of the answers `(num_queries,)`.
        outside: Features without the photos near the query, same shape; NaN where
            not known.
        outside_share: Share of all photos that are such, 0 to 1.
        threshold_m: Largest error of a right answer.
    """

    features: np.ndarray
    errors_m: np.ndarray
    outside: np.ndarray
    outside_share: float
    threshold_m: float

    @classmethod
    def from_estimates(
        cls,
        estimates: CalibrationInput,
        errors_m: np.ndarray,
        outside: CalibrationInput | None,
        outside_share: float,
        threshold_m: float,
    ) -> Samples:
        """Takes the queries whose errors are known."""
        rows = np.flatnonzero(np.isfinite(errors_m))
        features = np.full((len(rows), estimates.features.shape[1]), np.nan)
        if outside is not None:
            # With far fewer matches left the features mean something else.
            enough = outside.num_votes[rows] * 2 >= estimates.num_votes[rows]
            features = np.where(enough[:, None], outside.features[rows], np.nan)
        return cls(
            estimates.features[rows],
            errors_m[rows],
            features,
            outside_share,
            threshold_m,
        )

    def __len__(self) -> int:
        return len(self.errors_m)

    @property
    def right(self) -> np.ndarray:
        """Whether each answer is right."""
        return np.asarray(self.errors_m <= self.threshold_m)

    def take(self, rows: np.ndarray) -> Samples:
        """Returns some of the queries."""
        return Samples(
            self.features[rows],
            self.errors_m[rows],
            self.outside[rows],
            self.outside_share,
            self.threshold_m,
        )

    def with_outside(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns all queries, those whose place was removed last.

        Returns:
            Features, whether the answers are right, and how many queries each stands
            for: together the last ones are `outside_share` of all.
        """
        outside = self.outside[np.isfinite(self.outside).all(axis=1)]
        if not self.outside_share:
            outside = outside[:0]
        share = self.outside_share / (1 - self.outside_share)
        count = share * len(self) / max(1, len(outside))
        return (
            np.concatenate([self.features, outside]),
            np.concatenate([self.right, np.zeros(len(outside), bool)]),
            np.concatenate([np.ones(len(self)), np.full(len(outside), count)]),
        )
