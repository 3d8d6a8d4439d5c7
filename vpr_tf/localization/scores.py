"""One number a query that orders answers by how likely they are right."""

from __future__ import annotations

import numpy as np

from vpr_tf.localization.calibration import weighted_score
from vpr_tf.localization.features import FEATURE_NAMES

# With fewer right or wrong answers a regression fits chance; the share of the cluster,
# which orders answers well on every set that was tried, needs no fitting.
_FEWEST_OF_EACH = 10
_SINGLE_FEATURE = "share"
_NUM_FOLDS = 5


def fit_scores(
    features: np.ndarray, right: np.ndarray, counts: np.ndarray, seed: int
) -> tuple[dict[str, float], np.ndarray]:
    """Chooses the weights of the features and scores the same queries.

    A logistic regression, none of whose weights is negative, when there are enough
    right and wrong answers; else the share of the cluster alone.

    Args:
        features: See `match_features`, `(num_queries, 3)`, finite.
        right: Whether each answer is right.
        counts: How many queries each stands for.
        seed: Of the division into folds.

    Returns:
        The weights, and the score of each query by weights that were fitted without
        it, `(num_queries,)`.
    """
    if min(right.sum(), (~right).sum()) < _FEWEST_OF_EACH:
        weights = {name: float(name == _SINGLE_FEATURE) for name in FEATURE_NAMES}
        return weights, weighted_score(features, weights)
    from sklearn.model_selection import StratifiedKFold

    scores = np.empty(len(right))
    folds = StratifiedKFold(_NUM_FOLDS, shuffle=True, random_state=seed)
    for others, held_out in folds.split(features, right):
        weights = _regression(features[others], right[others], counts[others])
        scores[held_out] = weighted_score(features[held_out], weights)
    return _regression(features, right, counts), scores


def _regression(
    features: np.ndarray, right: np.ndarray, counts: np.ndarray
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
            return _named(used, weights)
        used = np.delete(used, weights.argmin())
    only = FEATURE_NAMES.index(_SINGLE_FEATURE)
    return _named(np.array([only]), np.ones(1))


def _named(columns: np.ndarray, weights: np.ndarray) -> dict[str, float]:
    of_column = dict(zip(columns.tolist(), weights.tolist(), strict=True))
    return {name: of_column.get(i, 0.0) for i, name in enumerate(FEATURE_NAMES)}
