"""Queries whose stated position may be wrong, rather than their predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vpr_tf.geo import Positions

if TYPE_CHECKING:  # a report is read without TensorFlow
    from vpr_tf.evaluation.results import EvaluationResult

_AS_ALIKE = 0.75  # share of the right first predictions that are more alike
_LEAST_RIGHT = 20  # queries found, of which is known how alike right ones are


def suspect_labels(result: EvaluationResult, database: Positions) -> np.ndarray:
    """Returns which queries seem to have been taken elsewhere than is stated.

    Their first predictions agree with each other, see `agree_elsewhere`, and the first
    is no less similar than the last quarter of the right ones. Perhaps the position is
    wrong, perhaps two places look alike: a person must look. Where `seems_mis_indexed`
    says that positions are those of other queries, all that agree are suspect.

    Args:
        result: Predictions and hits.
        database: Where the database was taken.

    Returns:
        Bool `(num_queries,)`; none where heads predict places, or few are found.
    """
    from vpr_tf.evaluation.agreement import agree_elsewhere, seems_mis_indexed

    elsewhere = agree_elsewhere(result, database)
    if seems_mis_indexed(result, elsewhere, database):
        return elsewhere
    right = result.hits[:, 0]
    if right.sum() < _LEAST_RIGHT or not elsewhere.any():
        return np.zeros(len(elsewhere), bool)
    distances = result.descriptor_distances[:, 0]
    alike = distances <= np.quantile(distances[right], _AS_ALIKE)
    return elsewhere & alike
