"""One number a query that orders positions by how likely they are right."""

from __future__ import annotations

import numpy as np

from vpr_tf.localization.calibration import weighted_score
from vpr_tf.localization.features import FeatureSet

# With fewer right or wrong positions a regression fits chance; the single feature of
# the set, which orders them well on every set that was tried, needs no fitting.
_FEWEST_OF_EACH = 10
_NUM_FOLDS = 5


def fit_scores(
    features: np.ndarray,
    right: np.ndarray,
    counts: np.ndarray,
    seed: int,
    feature_set: FeatureSet,
) -> tuple[dict[str, float], np.ndarray]:
    """Chooses the weights of the features and scores the same queries.

    A logistic regression, none of whose weights is negative, when there are enough
    right and wrong positions; else `feature_set.single` alone.

    Args:
        features: One column for each name of `feature_set`, finite.
        right: Whether each position is right.
        counts: How many queries each stands for.
        seed: Of the division into folds.
        feature_set: What the columns are.

    Returns:
        The weights, and the score of each query by weights that were fitted without
        it, `(num_queries,)`.
    """
    if min(right.sum(), (~right).sum()) < _FEWEST_OF_EACH:
        names = feature_set.names
        weights = {name: float(name == feature_set.single) for name in names}
        return weights, weighted_score(features, weights)
    from sklearn.model_selection import StratifiedKFold

    scores = np.empty(len(right))
    folds = StratifiedKFold(_NUM_FOLDS, shuffle=True, random_state=seed)
    for others, held_out in folds.split(features, right):
        weights = _regression(
            features[others], right[others], counts[others], feature_set
        )
        scores[held_out] = weighted_score(features[held_out], weights)
    return _regression(features, right, counts, feature_set), scores


def _regression(
    features: np.ndarray,
    right: np.ndarray,
    counts: np.ndarray,
    feature_set: FeatureSet,
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
            return _named(used, weights, feature_set)
        used = np.delete(used, weights.argmin())
    only = feature_set.names.index(feature_set.single)
    return _named(np.array([only]), np.ones(1), feature_set)


def _named(
    columns: np.ndarray, weights: np.ndarray, feature_set: FeatureSet
) -> dict[str, float]:
    of_column = dict(zip(columns.tolist(), weights.tolist(), strict=True))
    return {name: of_column.get(i, 0.0) for i, name in enumerate(feature_set.names)}
