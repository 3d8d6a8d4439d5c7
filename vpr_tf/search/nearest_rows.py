"""The nearest rows of a database that is seen block by block."""

from __future__ import annotations

import sys

import numpy as np

from vpr_tf.search.descriptors import MISSING_ID, Descriptors, as_float32
from vpr_tf.search.distances import (
    k_nearest_pairs,
    pair_distances,
    rounding_of_scores,
)

_QUERIES_PER_BLOCK = 1024
_SCORES_PER_BLOCK = 1 << 23  # float32: 32 MiB
_VALUES_PER_BLOCK = 1 << 25  # of the database, held at once: 128 MiB
_ROWS_FOR_FIRST_BOUND = 8192
_MORE_ON_DEVICE = 64


class NearestRows:
    """The k nearest rows of each query among the database rows seen so far.

    A product in float32 finds candidates, on an accelerator where there is one: all
    rows that can be among the nearest whatever the rounding. Their distances are then
    computed from differences in float64.

    Args:
        queries: Float32 `(num_queries, dim)`.
        k: Neighbours a query.

    Attributes:
        distances: Squared, float64 `(num_queries, k)`, inf where there are too few.
        ids: Rows, int64 `(num_queries, k)`, `MISSING_ID` where too few.
    """

    def __init__(self, queries: np.ndarray, k: int) -> None:
        self._device = _accelerator()
        self.queries = queries
        self.k = k
        self.norms = np.einsum("qd,qd->q", queries, queries, dtype=np.float64)
        self.distances = np.full((len(queries), k), np.inf)
        self.ids = np.full((len(queries), k), MISSING_ID, np.int64)

    @property
    def rows_per_block(self) -> int:
        """Rows that `update` is best given at once."""
        num_queries, dim = self.queries.shape
        by_values = _VALUES_PER_BLOCK // dim
        by_scores = _SCORES_PER_BLOCK // min(num_queries, _QUERIES_PER_BLOCK)
        return max(1, by_values if self._device else min(by_scores, by_values))

    def update(self, first: int, rows: np.ndarray, squared_norms: np.ndarray) -> None:
        """Adds database rows `first, first + 1, ...`."""
        halves = 0.5 * squared_norms
        for start in range(0, len(self.queries), _QUERIES_PER_BLOCK):
            block = slice(start, start + _QUERIES_PER_BLOCK)
            found = self._candidates_on_device(block, rows, halves)
            queries, candidates = found or self._candidates(block, rows, halves)
            queries += start
            distances = pair_distances(self.queries, queries, rows, candidates)
            self._merge(queries, candidates + first, distances)

    def _candidates(
        self, block: slice, rows: np.ndarray, halves: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        products = self.queries[block] @ rows.T
        lowest = self._lowest_score(block, products, halves)
        lowest -= self._rounding(block, halves)
        return _at_least(products, halves, lowest)

    def _candidates_on_device(
        self, block: slice, rows: np.ndarray, halves: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray] | None:
        """Returns None if more rows than it returns can be among the nearest."""
        if self._device is None:
            return None
        count = min(self.k + _MORE_ON_DEVICE, len(rows))
        scores, found = _best_scores(
            self._device, self.queries[block], rows, halves, count
        )
        lowest = (self.norms[block] - self.distances[block, -1]) / 2
        if count >= self.k:
            lowest = np.maximum(lowest, scores[:, self.k - 1])
        lowest -= self._rounding(block, halves)
        if count < len(rows) and (scores[:, -1] >= lowest).any():
            return None
        query, rank = np.nonzero(scores >= lowest[:, None])
        return query, found[query, rank]

    def _lowest_score(
        self, block: slice, products: np.ndarray, halves: np.ndarray
    ) -> np.ndarray:
        """Score that a row needs to be among the k nearest.

        A score is half of (squared norm of the query - squared distance), or the
        product with the row less half of the row's squared norm.
        """
        lowest = (self.norms[block] - self.distances[block, -1]) / 2
        wanting = np.flatnonzero(np.isinf(lowest))
        if len(wanting) and products.shape[1] >= self.k:
            # The k-th of some rows is enough for the start, and no row is lost by it.
            some = slice(max(self.k, _ROWS_FOR_FIRST_BOUND))
            scores = products[wanting, some] - halves[some]
            kth = scores.shape[1] - self.k
            lowest[wanting] = np.partition(scores, kth, axis=1)[:, kth]
        return lowest

    def _rounding(self, block: slice, halves: np.ndarray) -> np.ndarray:
        longest = float(np.sqrt(2 * halves.max()))
        lengths = np.sqrt(self.norms[block])
        return rounding_of_scores(lengths, longest, self.queries.shape[1])

    def _merge(self, query: np.ndarray, ids: np.ndarray, distances: np.ndarray) -> None:
        if not len(query):
            return
        touched, compact = np.unique(query, return_inverse=True)
        old = np.repeat(np.arange(len(touched)), self.k)
        query = np.concatenate([old, compact])
        distances = np.concatenate([self.distances[touched].ravel(), distances])
        ids = np.concatenate([self.ids[touched].ravel(), ids])
        kept, _ = k_nearest_pairs(query, ids, distances, self.k)
        self.distances[touched] = distances[kept].reshape(-1, self.k)
        self.ids[touched] = ids[kept].reshape(-1, self.k)


def search_rows(
    descriptors: Descriptors, queries: np.ndarray, k: int, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Searches some rows of a database exactly.

    Args:
        descriptors: The database.
        queries: Float32 `(num_queries, descriptor_dim)`.
        k: Neighbours a query, at most `len(rows)`.
        rows: Rows to search, int64, ascending.

    Returns:
        Squared distances and database rows, `(num_queries, k)`.
    """
    best = NearestRows(queries, k)
    step = best.rows_per_block
    for start in range(0, len(rows), step):
        part = as_float32(descriptors[rows[start : start + step]])
        best.update(start, part, np.einsum("nd,nd->n", part, part))
    return best.distances.astype(np.float32), rows[best.ids]


def _at_least(
    products: np.ndarray, halves: np.ndarray, lowest: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns queries and rows whose score is as high as the query's lowest.

    The least half norm of all rows gives a first bound, so that the norms of most rows
    need not be looked at.
    """
    # Rounded down, so that no row is lost.
    bound = np.nextafter((lowest + halves.min()).astype(np.float32), -np.inf)
    passed = np.flatnonzero(products >= bound[:, None])
    query, row = np.divmod(passed, products.shape[1])
    kept = products[query, row] - halves[row].astype(np.float64) >= lowest[query]
    return query[kept], row[kept]


def _accelerator() -> str | None:
    """Returns the device to search on, if a program that uses TensorFlow sees one.

    TensorFlow is not imported for it: a program that did not import it has none.
    """
    tf = sys.modules.get("tensorflow")
    if tf is None or not tf.config.list_logical_devices("GPU"):
        return None
    return "/GPU:0"


def _best_scores(
    device: str, queries: np.ndarray, rows: np.ndarray, halves: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the rows of the largest products less half norms, largest first.

    Args:
        device: Where to compute.
        queries: Float32 `(num_queries, dim)`.
        rows: Float32 `(num_rows, dim)`.
        halves: Half of the rows' squared norms.
        count: Rows wanted of each query, at most `num_rows`.

    Returns:
        Scores, float32, and rows, int64, `(num_queries, count)`.
    """
    import tensorflow as tf

    precision = tf.config.experimental
    # TensorFloat-32 rounds more than exact search allows for.
    had_fast = precision.tensor_float_32_execution_enabled()
    precision.enable_tensor_float_32_execution(False)
    try:
        with tf.device(device):
            products = tf.linalg.matmul(queries, rows, transpose_b=True)
            best = tf.math.top_k(products - halves, count)
            return best.values.numpy(), best.indices.numpy().astype(np.int64)
    finally:
        precision.enable_tensor_float_32_execution(had_fast)
