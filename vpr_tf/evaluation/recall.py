"""Recall@N as the field measures it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def recall_at(
    predictions: np.ndarray,
    positives: Sequence[np.ndarray],
    recall_values: Sequence[int],
    *,
    evaluated: np.ndarray | None = None,
) -> dict[int, float]:
    """Returns the percentage of queries with a positive among their first N.

    Queries without any positive stay in the denominator, as in the official
    protocol.

    Args:
        predictions: Database rows `(num_queries, k)`, nearest first; -1 is a missing
            prediction and never a hit.
        positives: For each query the database rows that count as right.
        recall_values: The values of N, at most k.
        evaluated: Which queries count, bool `(num_queries,)`; None for all.

    Returns:
        Percent by N; NaN when no query counts.

    Raises:
        ValueError: The shapes do not fit each other.
    """
    _check_columns(predictions, recall_values)
    if len(positives) != len(predictions):
        raise ValueError(
            "`positives` must have one entry for each query. Received: "
            f"{len(positives)} for predictions.shape={predictions.shape}"
        )
    hits = hits_matrix(predictions, positives)
    return recall_of_hits(hits if evaluated is None else hits[evaluated], recall_values)


def recall_of_hits(hits: np.ndarray, recall_values: Sequence[int]) -> dict[int, float]:
    """Returns the same of a `hits_matrix`."""
    _check_columns(hits, recall_values)
    if not len(hits):
        return {n: float("nan") for n in recall_values}
    first = np.where(hits.any(axis=1), hits.argmax(axis=1), hits.shape[1])
    return {n: float(np.mean(first < n) * 100) for n in recall_values}


def _check_columns(predictions: np.ndarray, recall_values: Sequence[int]) -> None:
    if predictions.ndim != 2 or predictions.shape[1] < max(recall_values):
        raise ValueError(
            "`predictions` must have at least max(recall_values) columns. Received: "
            f"predictions.shape={predictions.shape}, "
            f"recall_values={tuple(recall_values)}"
        )


def hits_matrix(predictions: np.ndarray, positives: Sequence[np.ndarray]) -> np.ndarray:
    """Returns which predictions are positives, bool `(num_queries, k)`."""
    hits = np.zeros(predictions.shape, bool)
    for query, rows in enumerate(positives):
        hits[query] = np.isin(predictions[query], rows)
    return hits & (predictions >= 0)
