"""Where the first positive of every query stands among its predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vpr_tf.geo import Positions

NOT_FOUND, UNKNOWN = 0, -1  # instead of a rank, which starts at 1


@dataclass(frozen=True, eq=False)
class HitRanks:
    """Where the first positive of every query stands, by threshold.

    Attributes:
        thresholds_m: Largest distances of a positive, ascending.
        ranks: int64 `(num_thresholds, num_queries)`, from 1; 0 when no prediction is a
            positive, -1 when the query's position is unknown.
        num_positives: int64, same shape; -1 when the query's position is unknown.
    """

    thresholds_m: list[float]
    ranks: np.ndarray
    num_positives: np.ndarray


def hit_ranks(
    predictions: np.ndarray,
    queries: Positions,
    database: Positions,
    thresholds_m: Sequence[float],
) -> HitRanks:
    """Finds the first positive among the predictions of each query.

    Args:
        predictions: Database rows `(num_queries, k)`, nearest first; -1 is missing.
        queries: Positions of the queries.
        database: Positions of the database.
        thresholds_m: Largest distances of a positive.
    """
    # Not at the top: reading a stored report shall not import TensorFlow.
    from vpr_tf.evaluation.positives import positives_per_query
    from vpr_tf.evaluation.recall import hits_matrix

    thresholds = sorted(set(thresholds_m))
    ranks, counts = [], []
    for threshold_m in thresholds:
        positives = positives_per_query(queries, database, threshold_m)
        hits = hits_matrix(predictions, positives)
        first = np.where(hits.any(axis=1), hits.argmax(axis=1) + 1, NOT_FOUND)
        ranks.append(np.where(queries.known, first, UNKNOWN))
        num_positives = np.array([len(rows) for rows in positives], np.int64)
        counts.append(np.where(queries.known, num_positives, UNKNOWN))
    return HitRanks(thresholds, np.stack(ranks), np.stack(counts))
