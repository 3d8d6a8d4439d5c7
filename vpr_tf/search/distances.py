"""Squared distances as the search defines them: of differences, in float64."""

from __future__ import annotations

from typing import Any

import numpy as np

from vpr_tf.search.descriptors import MISSING_ID, Descriptors, as_float32, no_neighbours

_DIFFERENCES_PER_STEP = 1 << 17  # float64: 1 MiB
_VALUES_PER_BLOCK = 1 << 22  # of the database, read at once


def pair_distances(
    queries: np.ndarray, query: np.ndarray, descriptors: Descriptors, row: np.ndarray
) -> np.ndarray:
    """Returns the squared distance of each pair of a query and a row, float64.

    Args:
        queries: Float32 `(num_queries, descriptor_dim)`.
        query: Number of the query of each pair.
        descriptors: The database.
        row: Row of the database of each pair.
    """
    distances = np.empty(len(query))
    step = max(1, _DIFFERENCES_PER_STEP // queries.shape[1])
    for start in range(0, len(query), step):
        part = slice(start, start + step)
        difference = as_float32(descriptors[row[part]]).astype(np.float64)
        difference -= queries[query[part]]
        distances[part] = np.einsum("nd,nd->n", difference, difference)
    return distances


def squared_distances(
    descriptors: Descriptors, queries: np.ndarray, ids: np.ndarray
) -> np.ndarray:
    """Returns the squared distances of rows, float64 `(num_queries, k)`.

    Args:
        descriptors: The database.
        queries: Float32 `(num_queries, descriptor_dim)`.
        ids: Rows of each query, int64 `(num_queries, k)`; where they are
            `MISSING_ID`, the distance is inf.
    """
    distances = np.full(ids.shape, np.inf)
    step = max(1, _VALUES_PER_BLOCK // max(1, ids.shape[1] * queries.shape[1]))
    for start in range(0, len(queries), step):
        block = slice(start, start + step)
        query, column = np.nonzero(ids[block] != MISSING_ID)
        rows: Descriptors = descriptors
        row = ids[block][query, column]
        if not isinstance(descriptors, np.ndarray):  # a file: read each row once
            used, row = np.unique(row, return_inverse=True)
            rows = as_float32(descriptors[used])
        distances[start + query, column] = pair_distances(
            queries[block], query, rows, row
        )
    return distances


def nearest_of(
    descriptors: Descriptors, queries: np.ndarray, ids: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Orders candidates by their distance, computed from the descriptors.

    Args:
        descriptors: The database.
        queries: Float32 `(num_queries, descriptor_dim)`.
        ids: Candidate rows `(num_queries, num_candidates)`; see `squared_distances`.
        k: Neighbours a query.

    Returns:
        Squared distances, float32, and rows, int64, `(num_queries, k)`; the lowest row
        first among equals; inf and `MISSING_ID` where there are too few candidates.
    """
    nearest = no_neighbours(len(queries), k)
    distances = squared_distances(descriptors, queries, ids)
    order = np.lexsort((ids, distances), axis=1)[:, :k]
    query = np.arange(len(order))[:, None]
    for ordered, values in zip(nearest, (distances, ids), strict=True):
        ordered[:, : order.shape[1]] = values[query, order]
    return nearest


def k_nearest_pairs(
    query: np.ndarray, ids: np.ndarray, distances: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Orders pairs of a query and a row by query, then distance, then row.

    Returns:
        The first k pairs of each query, in this order, and their rank in the query.
    """
    order = np.lexsort((ids, distances, query))
    query = query[order]
    rank = np.arange(len(query)) - np.searchsorted(query, query)
    kept = rank < k
    return order[kept], rank[kept]


def rounding_of_scores(query_norms: Any, longest: float, descriptor_dim: int) -> Any:
    """Returns a bound of the float32 error of two scores of a query.

    A score is the product of query and row less half of the row's squared norm, that
    is half of (squared norm of the query - squared distance). Rows whose scores differ
    by less may be in either order.

    Args:
        query_norms: Lengths of the queries, float64.
        longest: Length of the longest row.
        descriptor_dim: Values of each product.
    """
    unit = np.finfo(np.float32).eps * (descriptor_dim + 8)
    return unit * longest * (query_norms + longest)
