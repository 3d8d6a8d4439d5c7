"""True distances of candidates that an approximate search found."""

from __future__ import annotations

import numpy as np

from vpr_tf.search.search_index import MISSING_ID, Descriptors

_VALUES_PER_BLOCK = 1 << 22


def nearest_candidates(
    descriptors: Descriptors, queries: np.ndarray, ids: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Orders candidates by their distance, computed from the descriptors.

    Args:
        descriptors: The database.
        queries: Float32 `(num_queries, descriptor_dim)`.
        ids: Candidate rows `(num_queries, num_candidates)`, -1 for none.
        k: Neighbours a query.

    Returns:
        Squared distances, float32, and rows, int64, `(num_queries, k)`; the lowest row
        first among equals; inf and -1 where there are too few candidates.
    """
    distances = np.full((len(queries), k), np.inf, np.float32)
    nearest = np.full((len(queries), k), MISSING_ID, np.int64)
    num_candidates = ids.shape[1]
    values_per_query = max(1, num_candidates * queries.shape[1])
    step = max(1, _VALUES_PER_BLOCK // values_per_query)
    found = min(k, num_candidates)
    for start in range(0, len(queries), step):
        block = slice(start, start + step)
        of_block = _distances(descriptors, queries[block], ids[block])
        order = np.lexsort((ids[block], of_block), axis=1)[:, :found]
        distances[block, :found] = np.take_along_axis(of_block, order, axis=1)
        nearest[block, :found] = np.take_along_axis(ids[block], order, axis=1)
    return distances, nearest


def _distances(
    descriptors: Descriptors, queries: np.ndarray, ids: np.ndarray
) -> np.ndarray:
    used, place = np.unique(ids, return_inverse=True)
    missing = int(len(used) > 0 and used[0] == MISSING_ID)
    distances = np.full(ids.shape, np.inf, np.float32)
    if len(used) == missing:
        return distances
    rows = np.asarray(descriptors[used[missing:]], np.float32)
    valid = ids != MISSING_ID
    query = np.nonzero(valid)[0]
    difference = rows[place.reshape(ids.shape)[valid] - missing]
    difference -= queries[query]
    distances[valid] = np.einsum("nd,nd->n", difference, difference)
    return distances
