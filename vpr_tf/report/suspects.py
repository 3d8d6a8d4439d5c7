"""Queries whose stated position may be wrong, rather than their predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vpr_tf.geo import Positions, distances_m

if TYPE_CHECKING:  # a report is read without TensorFlow
    from vpr_tf.evaluation.results import EvaluationResult

NUM_AGREEING = 3  # first predictions that lie together
FAR = 4  # times the threshold
_AS_ALIKE = 0.75  # share of the right first predictions that are more alike
_LEAST_RIGHT = 20  # queries found, of which is known how alike right ones are


def suspect_labels(result: EvaluationResult, database: Positions) -> np.ndarray:
    """Returns which queries seem to have been taken elsewhere than is stated.

    Their first three predictions lie within the threshold of each other, the first more
    than four times the threshold from the query, and it is no less similar than the
    last quarter of the right ones. Perhaps the position is wrong, perhaps two places
    look alike: a person must look.

    Args:
        result: Predictions and hits.
        database: Where the database was taken.

    Returns:
        Bool `(num_queries,)`; none where heads predict places, or few are found.
    """
    rows = result.predictions[:, :NUM_AGREEING]
    right = result.hits[:, 0]
    none = np.zeros(len(rows), bool)
    too_few = rows.shape[1] < NUM_AGREEING or right.sum() < _LEAST_RIGHT
    if result.scores is not None or too_few:
        return none
    distances = result.descriptor_distances[:, 0]
    alike = distances <= np.quantile(distances[right], _AS_ALIKE)
    is_far = result.distances_m[:, 0] > FAR * result.positive_dist_threshold_m
    asked = np.flatnonzero(alike & is_far & (rows >= 0).all(axis=1))
    first = database.take(rows[asked, 0])
    apart = distances_m(first, database, rows[asked])
    together = (apart <= result.positive_dist_threshold_m).all(axis=1)
    none[asked[together]] = True
    return none
