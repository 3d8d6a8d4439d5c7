"""Recall@N at several distances on the ground."""

from __future__ import annotations

from dataclasses import dataclass

from vpr_tf.report.intervals import Interval


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
