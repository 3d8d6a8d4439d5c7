"""Queries that a calibration is fitted on."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from vpr_tf.localization.estimates import Estimates
from vpr_tf.localization.features import FeatureSet


@dataclass(frozen=True, eq=False)
class Samples:
    """Queries with the errors of their positions, and the same with no place near.

    Attributes:
        feature_set: What the features are.
        features: One row a query, finite.
        errors_m: Errors of the positions `(num_queries,)`.
        outside: Features without the photos or cells near the query, same shape; NaN
            where not known.
        outside_share: Share of all photos that are such, 0 to 1.
        threshold_m: Largest error of a right position.
    """

    feature_set: FeatureSet
    features: np.ndarray
    errors_m: np.ndarray
    outside: np.ndarray
    outside_share: float
    threshold_m: float

    @classmethod
    def from_estimates(
        cls,
        estimates: Estimates,
        errors_m: np.ndarray,
        outside: Estimates | None,
        outside_share: float,
        threshold_m: float,
    ) -> Samples:
        """Takes the queries whose errors are known."""
        rows = np.flatnonzero(np.isfinite(errors_m))
        features = np.full((len(rows), estimates.features.shape[1]), np.nan)
        if outside is not None:
            # With far fewer candidates left the features mean something else.
            enough = outside.num_votes[rows] * 2 >= estimates.num_votes[rows]
            features = np.where(enough[:, None], outside.features[rows], np.nan)
        return cls(
            estimates.feature_set,
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
        """Whether each position is right."""
        return np.asarray(self.errors_m <= self.threshold_m)

    def take(self, rows: np.ndarray) -> Samples:
        """Returns some of the queries."""
        return dataclasses.replace(
            self,
            features=self.features[rows],
            errors_m=self.errors_m[rows],
            outside=self.outside[rows],
        )

    def with_outside(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns all queries, those whose place was removed last.

        Returns:
            Features, whether the positions are right, and how many queries each stands
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
