"""Share of the true nearest rows that a search finds."""

from __future__ import annotations

import numpy as np

from vpr_tf.place_index.index_state import IndexState
from vpr_tf.place_index.manifest import RecallReport
from vpr_tf.search import Descriptors, squared_distances

RECALL_QUERIES = 100
_NEIGHBOURS = 10
# Distances of different kinds of index differ in the last digits.
_RELATIVE_ROUNDING = 1e-5


def recall_of_state(state: IndexState, num_queries: int, seed: int = 0) -> RecallReport:
    """Searches some stored photos, each without itself, and compares with exact search.

    Args:
        state: A state of an index.
        num_queries: Photos to search.
        seed: Of their choice.
    """
    alive = state.alive_rows
    k = min(_NEIGHBOURS, len(alive) - 1)
    if state.is_exact or k < 1 or num_queries < 1:
        return RecallReport(1.0, 1.0, 0)
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.choice(alive, min(num_queries, len(alive)), replace=False))
    queries = np.asarray(state.descriptors[rows], np.float32)
    exact = without_own(state.search_rows(queries, k + 1, alive)[1], rows)
    found = without_own(state.search(queries, k + 1).rows, rows)
    shares = shares_found(state.descriptors, queries, exact, found, (1, k))
    return RecallReport(shares[1], shares[k], len(rows))


def without_own(rows: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Drops the photo that a query is from what was found.

    Args:
        rows: Rows found, `(num_queries, k + 1)`.
        own: Row of each query; below 0 where it is no stored photo.

    Returns:
        Rows `(num_queries, k)`.
    """
    is_own = (rows == own[:, None]) & (rows >= 0)
    order = np.argsort(is_own, axis=1, kind="stable")[:, : rows.shape[1] - 1]
    return np.take_along_axis(rows, order, axis=1)


def shares_found(
    database: Descriptors,
    queries: np.ndarray,
    exact: np.ndarray,
    found: np.ndarray,
    recall_values: tuple[int, ...],
) -> dict[int, float]:
    """Compares what was found with the true nearest rows.

    By distance, not by row: rows that are equally near are equally right.

    Args:
        database: What was searched.
        queries: Float32 `(num_queries, descriptor_dim)`.
        exact: The true nearest rows, `(num_queries, at least max(recall_values))`, or
            all rows that there are.
        found: Rows, of the same shape; -1 where missing.
        recall_values: At which N.

    Returns:
        By N, the share of the N true nearest rows that are among the first N found; N
        is at most the number of rows there are.
    """
    true_distances = squared_distances(database, queries, exact)
    distances = squared_distances(database, queries, found)
    shares = {}
    for wanted in recall_values:
        n = min(wanted, exact.shape[1])
        last = true_distances[:, n - 1 : n]
        bound = last * (1 + _RELATIVE_ROUNDING) + _RELATIVE_ROUNDING**2
        shares[wanted] = float((distances[:, :n] <= bound).mean())
    return shares
