"""Queries whose predictions agree with each other, but not with the ground truth."""

from __future__ import annotations

import numpy as np

from vpr_tf.evaluation.results import EvaluationResult
from vpr_tf.geo import Positions, distances_m

NUM_AGREEING = 3  # first predictions that lie together
FAR = 4  # times the threshold
_MANY_QUERIES = 20  # of fewer, chance may be
_CLEARLY_NEARER = 0.9  # of squared distances, in the median
_MOST_ROWS_OFF = 5  # by which a list of positions may be moved


def agree_elsewhere(result: EvaluationResult, database: Positions) -> np.ndarray:
    """Returns which queries are predicted with one voice, and far from what is stated.

    Their first three predictions lie within the threshold of each other, the first more
    than four times the threshold from the query.

    Args:
        result: Predictions.
        database: Where the database was taken.

    Returns:
        Bool `(num_queries,)`; none where heads predict places.
    """
    rows = result.predictions[:, :NUM_AGREEING]
    found = np.zeros(len(rows), bool)
    if result.scores is not None or rows.shape[1] < NUM_AGREEING:
        return found
    is_far = result.distances_m[:, 0] > FAR * result.positive_dist_threshold_m
    asked = np.flatnonzero(is_far & (rows >= 0).all(axis=1))
    first = database.take(rows[asked, 0])
    apart = distances_m(first, database, rows[asked])
    together = (apart <= result.positive_dist_threshold_m).all(axis=1)
    found[asked[together]] = True
    return found


def seems_mis_indexed(
    result: EvaluationResult, elsewhere: np.ndarray, database: Positions
) -> bool:
    """Whether positions seem to be those of other queries.

    More than a third of the queries, and twice as many as are found, are predicted with
    one voice and elsewhere, and clearly so: of an
    encoder that knows no place, photos of one place are next to each other as well, but
    hardly nearer than those of the next place.

    Args:
        result: Predictions.
        elsewhere: Of `agree_elsewhere`.
        database: Where the database was taken.
    """
    known = int(np.sum(result.num_positives >= 0))
    count, right = int(elsewhere.sum()), int(result.hits[:, 0].sum())
    if known < _MANY_QUERIES or 3 * count <= known or count < 2 * right:
        return False
    ratios = _to_next_place(result, np.flatnonzero(elsewhere), database)
    return bool(len(ratios) and np.median(ratios) <= _CLEARLY_NEARER)


def _to_next_place(
    result: EvaluationResult, queries: np.ndarray, database: Positions
) -> np.ndarray:
    """Returns how far the first prediction is, as a part of the next place's distance.

    Of squared descriptor distances; queries without another place are left out.
    """
    rows = result.predictions[queries]
    first = database.take(rows[:, 0])
    apart = distances_m(first, database, rows) > result.positive_dist_threshold_m
    queries, apart = queries[apart.any(axis=1)], apart[apart.any(axis=1)]
    distances = result.descriptor_distances[queries]
    following = distances[np.arange(len(queries)), apart.argmax(axis=1)]
    return distances[:, 0] / np.maximum(following, np.finfo(np.float32).tiny)


def rows_off(result: EvaluationResult, queries: Positions, database: Positions) -> int:
    """Returns by how many rows positions must be moved so that predictions are right.

    Args:
        result: Predictions of positions that seem to be those of other queries.
        queries: Where the queries are said to have been taken, in their order.
        database: Where the database was taken.

    Returns:
        1 if the position of a query is stated in the next row; 0 where no small number
        makes most right.
    """
    first = result.predictions[:, :1]
    for size in range(1, _MOST_ROWS_OFF + 1):
        for moved in (size, -size):
            there = queries.take(np.roll(np.arange(len(first)), -moved))
            metres = distances_m(there, database, first)[:, 0]
            if 2 * np.sum(metres <= result.positive_dist_threshold_m) > len(first):
                return moved
    return 0
