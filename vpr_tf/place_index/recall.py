"""Recall of an index against exact search, on photos that it holds."""

from __future__ import annotations

import numpy as np

from vpr_tf.place_index.index_state import IndexState
from vpr_tf.place_index.manifest import RecallReport
from vpr_tf.place_index.place_index import PlaceIndex

RECALL_QUERIES = 100
_NEIGHBOURS = 10
# Distances of different kinds of index differ in the last digits.
_RELATIVE_ROUNDING = 1e-5


def measure_recall(
    index: PlaceIndex, *, num_queries: int = RECALL_QUERIES, seed: int = 0
) -> RecallReport:
    """Searches some stored photos, each without itself, and compares with exact search.

    Args:
        index: An open index.
        num_queries: Photos to search.
        seed: Of their choice.
    """
    return recall_of_state(index.state(), num_queries, seed)


def recall_of_state(state: IndexState, num_queries: int, seed: int = 0) -> RecallReport:
    """See `measure_recall`."""
    alive = state.alive_rows
    k = min(_NEIGHBOURS, len(alive) - 1)
    if state.is_exact or k < 1 or num_queries < 1:
        return RecallReport(1.0, 1.0, 0)
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.choice(alive, min(num_queries, len(alive)), replace=False))
    queries = np.asarray(state.descriptors[rows], np.float32)
    exact, _ = _without(rows, *state.search_rows(queries, k + 1, alive), k)
    matches = state.search(queries, k + 1)
    _, found = _without(rows, matches.distances, matches.rows, k)
    distances = _distances(state, queries, found)
    # By distance, not by row: photos that are equally near are equally right.
    bound = exact * (1 + _RELATIVE_ROUNDING) + _RELATIVE_ROUNDING**2
    first = distances[:, 0] <= bound[:, 0]
    among = distances <= bound[:, -1:]
    return RecallReport(float(first.mean()), float(among.mean()), len(rows))


def _without(
    own: np.ndarray, distances: np.ndarray, rows: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Drops each photo from its own neighbours; k of them remain."""
    order = np.argsort(rows == own[:, None], axis=1, kind="stable")[:, :k]
    return (
        np.take_along_axis(distances, order, axis=1),
        np.take_along_axis(rows, order, axis=1),
    )


def _distances(state: IndexState, queries: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Computes the squared distances of rows `(num_queries, k)`; inf where missing."""
    descriptors = state.descriptors[np.maximum(rows, 0)].astype(np.float64)
    descriptors -= queries[:, None]
    distances = np.einsum("qkd,qkd->qk", descriptors, descriptors)
    return np.where(rows < 0, np.inf, distances)
