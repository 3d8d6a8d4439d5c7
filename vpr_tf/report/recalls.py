"""Recall@N at several distances on the ground, and the ranks that it is of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vpr_tf.geo import Positions
from vpr_tf.report.bootstrap import BootstrapSettings
from vpr_tf.report.proportions import wilson_percentages
from vpr_tf.tables import Interval

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


@dataclass(frozen=True)
class RecallTable:
    """Recall in percent, by threshold and N.

    Attributes:
        thresholds_m: Largest distances of a positive, ascending.
        recall_values: The values of N, ascending.
        recalls: `recalls[t][n]` belongs to `thresholds_m[t]` and `recall_values[n]`.
        num_evaluated: Queries of known position, the denominator of every recall.
        num_with_positives: For each threshold, the queries with a database image
            that near: no encoder can find more.
    """

    thresholds_m: list[float]
    recall_values: list[int]
    recalls: list[list[Interval]]
    num_evaluated: int
    num_with_positives: list[int]

    def at(self, threshold_m: float) -> dict[int, Interval]:
        """Returns the recalls by N at one of the thresholds."""
        row = self.recalls[self.thresholds_m.index(threshold_m)]
        return dict(zip(self.recall_values, row, strict=True))


def found_within(ranks: np.ndarray, num_predictions: int) -> np.ndarray:
    """Returns whether a positive is among the first predictions, bool."""
    return (ranks > NOT_FOUND) & (ranks <= num_predictions)


def recall_table(
    hits: HitRanks, recall_values: Sequence[int], settings: BootstrapSettings
) -> RecallTable:
    """Computes recall@N with intervals over the queries.

    The definition is the published protocol's: a query counts as found at N when any
    of its first N predictions is a positive, and queries without positives stay in
    the denominator. Queries of unknown position are in no number.

    Args:
        hits: Ranks of the first positives.
        recall_values: The values of N.
        settings: Level of the intervals, which are Wilson's.
    """
    known = hits.num_positives[0] != UNKNOWN
    ranks = hits.ranks[:, known]
    values = [int(n) for n in recall_values]
    # One column for each threshold and N.
    found = np.stack([found_within(row, n) for row in ranks for n in values], axis=1)
    flat = wilson_percentages(found, settings.level)
    columns = len(values)
    return RecallTable(
        thresholds_m=hits.thresholds_m,
        recall_values=values,
        recalls=[
            flat[first : first + columns] for first in range(0, len(flat), columns)
        ],
        num_evaluated=int(known.sum()),
        num_with_positives=(hits.num_positives > 0).sum(axis=1).tolist(),
    )
