"""One number a query that orders answers by how likely they are right."""

from __future__ import annotations

import numpy as np

from vpr_tf.localization.calibration import weighted_score
from vpr_tf.localization.feature_sets import MATCHES, FeatureSet

# With fewer right or wrong answers a regression fits chance; the set's single feature,
# which orders answers well on every set that was tried, needs no fitting.
_FEWEST_OF_EACH = 10
_NUM_FOLDS = 5


def fit_scores(
    features: np.ndarray,
    right: np.ndarray,
    counts: np.ndarray,
    seed: int,
    features_of: FeatureSet = MATCHES,
) -> tuple[dict[str, float], np.ndarray]:
    """Chooses the weights of the features and scores the same queries.

    A logistic regression, none of whose weights is negative, when there are enough
    right and wrong answers; else `features_of.single` alone.

    Args:
        features: One column for each name of `features_of`, finite.
        right: Whether each answer is right.
        counts: How many queries each stands for.
        seed: Of the division into folds.
        features_of: What the columns are.

    Returns:
        The weights, and the score of each query by weights that were fitted without
        it, `(num_queries,)`.
    """
    if min(right.sum(), (~right).sum()) < _FEWEST_OF_EACH:
        names = features_of.names
        weights = {name: float(name == features_of.single) for name in names}
        return weights, weighted_score(features, weights)
    from sklearn.model_selection import StratifiedKFold

    scores = np.empty(len(right))
    folds = StratifiedKFold(_NUM_FOLDS, shuffle=True, random_state=seed)
    for others, held_out in folds.split(features, right):
        weights = _regression(
            features[others], right[others], counts[others], features_of
        )
        scores[held_out] = weighted_score(features[held_out], weights)
    return _regression(features, right, counts, features_of), scores


def _regression(
    features: np.ndarray,
    right: np.ndarray,
    counts: np.ndarray,
    features_of: FeatureSet,
) -> dict[str, float]:
    """Drops features until no weight is negative: more of each means more certain."""
    from sklearn.linear_model import LogisticRegression

    spread = features.std(axis=0)
    used = np.flatnonzero(spread > 0)
    while len(used):
        model = LogisticRegression(solver="newton-cholesky")
        model.fit(features[:, used] / spread[used], right, sample_weight=counts)
        weights = model.coef_[0] / spread[used]
        if (weights >= 0).all():
            return _named(used, weights, features_of)
        used = np.delete(used, weights.argmin())
    only = features_of.names.index(features_of.single)
    return _named(np.array([only]), np.ones(1), features_of)


def _named(
    columns: np.ndarray, weights: np.ndarray, features_of: FeatureSet
) -> dict[str, float]:
    of_column = dict(zip(columns.tolist(), weights.tolist(), strict=True))
    return {name: of_column.get(i, 0.0) for i, name in enumerate(features_of.names)}
