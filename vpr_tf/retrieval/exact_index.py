"""Exact nearest neighbours over a database of any size."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from vpr_tf.retrieval.errors import IndexMismatchError
from vpr_tf.retrieval.half_floats import as_float32
from vpr_tf.retrieval.index import Descriptors, Index, check_descriptors

_QUERIES_PER_BLOCK = 1024
_SCORES_PER_BLOCK = 1 << 23  # float32: 32 MiB
_VALUES_PER_BLOCK = 1 << 25  # of the database, held at once: 128 MiB
_DIFFERENCES_PER_STEP = 1 << 17  # float64: 1 MiB
_ROWS_FOR_FIRST_BOUND = 8192
_NORMS_FILE = "squared_norms.npy"


class ExactIndex(Index):
    """Compares every query with every database descriptor, block by block.

    A matrix product finds the candidates; their distances are then computed from
    differences in float64. So identical descriptors have identical distances, and
    equal distances are ordered by the lowest row. The database is never held in
    memory as a whole.

    Args:
        descriptors: The database, e.g. memory-mapped.
        squared_norms: Float32, one a row.
    """

    kind = "exact"

    def __init__(self, descriptors: Descriptors, squared_norms: np.ndarray) -> None:
        self.descriptors = descriptors
        self._squared_norms = squared_norms

    @classmethod
    def build(
        cls, descriptors: Descriptors, settings: dict[str, Any] | None = None
    ) -> ExactIndex:
        """See `Index.build`; reads the database once, keeps a reference to it."""
        check_descriptors(descriptors)
        if settings:
            raise ValueError(
                f"An exact index has no settings. Received: {', '.join(settings)}"
            )
        norms = np.empty(len(descriptors), np.float32)
        for start, rows in _blocks(descriptors):
            norms[start : start + len(rows)] = np.einsum("nd,nd->n", rows, rows)
        bad = np.flatnonzero(~np.isfinite(norms))
        if len(bad):
            raise ValueError(
                "`descriptors` must be finite. Received: NaN or infinity in "
                f"{len(bad)} rows, the first is {bad[0]}. Check the encoder's weights."
            )
        return cls(descriptors, norms)

    @property
    def is_exact(self) -> bool:
        """Always true."""
        return True

    @property
    def settings(self) -> dict[str, Any]:
        """None."""
        return {}

    def _search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        best = _BestRows(queries, k)
        step = _rows_per_block(queries)
        for start in range(0, self.num_images, step):
            rows = as_float32(self.descriptors[start : start + step])
            best.update(start, rows, self._squared_norms[start : start + step])
        return best.distances.astype(np.float32), best.ids

    def write(self, folder: Path) -> None:
        """Keeps the norms, so that opening need not read the database."""
        np.save(folder / _NORMS_FILE, self._squared_norms, allow_pickle=False)

    @classmethod
    def read(
        cls, folder: Path, descriptors: Descriptors, settings: dict[str, Any]
    ) -> ExactIndex:
        """See `Index.read`."""
        norms = np.load(folder / _NORMS_FILE, allow_pickle=False)
        if norms.shape != (len(descriptors),) or norms.dtype != np.float32:
            raise IndexMismatchError(
                f"{folder / _NORMS_FILE} must hold {len(descriptors)} float32 values. "
                f"Received: {norms.dtype} of shape {norms.shape}. Build it again."
            )
        return cls(descriptors, norms)


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
    best = _BestRows(queries, k)
    step = _rows_per_block(queries)
    for start in range(0, len(rows), step):
        part = as_float32(descriptors[rows[start : start + step]])
        best.update(start, part, np.einsum("nd,nd->n", part, part))
    ids = np.where(best.ids < 0, best.ids, rows[best.ids])
    return best.distances.astype(np.float32), ids


def _rows_per_block(queries: np.ndarray) -> int:
    num_queries, dim = queries.shape
    by_scores = _SCORES_PER_BLOCK // min(num_queries, _QUERIES_PER_BLOCK)
    return max(1, min(by_scores, _VALUES_PER_BLOCK // dim))


def _blocks(descriptors: Descriptors) -> Iterator[tuple[int, np.ndarray]]:
    """Yields the database as float32 blocks, with the row that each starts at."""
    step = max(1, _VALUES_PER_BLOCK // descriptors.shape[1])
    for start in range(0, len(descriptors), step):
        yield start, np.asarray(descriptors[start : start + step], np.float32)


class _BestRows:
    """The k nearest rows of each query among the database rows seen so far."""

    def __init__(self, queries: np.ndarray, k: int) -> None:
        self.queries = queries
        self.k = k
        self.norms = np.einsum("qd,qd->q", queries, queries, dtype=np.float64)
        self.distances = np.full((len(queries), k), np.inf)
        self.ids = np.full((len(queries), k), -1, np.int64)

    def update(self, first: int, rows: np.ndarray, squared_norms: np.ndarray) -> None:
        """Adds database rows `first, first + 1, ...`."""
        longest = float(np.sqrt(squared_norms.max()))
        halves = 0.5 * squared_norms
        for start in range(0, len(self.queries), _QUERIES_PER_BLOCK):
            block = slice(start, start + _QUERIES_PER_BLOCK)
            products = self.queries[block] @ rows.T
            lowest = self._lowest_score(block, products, halves)
            lowest -= self._rounding(block, rows.shape[1], longest)
            queries, candidates = _at_least(products, halves, lowest)
            queries += start
            distances = self._distances(queries, rows, candidates)
            self._merge(queries, candidates + first, distances)

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

    def _rounding(self, block: slice, dim: int, longest: float) -> np.ndarray:
        """Bound of the float32 error of two scores, so that no neighbour is lost."""
        unit = np.finfo(np.float32).eps * (dim + 8)
        return unit * longest * (np.sqrt(self.norms[block]) + longest)

    def _distances(
        self, query: np.ndarray, rows: np.ndarray, row: np.ndarray
    ) -> np.ndarray:
        distances = np.empty(len(query))
        step = max(1, _DIFFERENCES_PER_STEP // rows.shape[1])
        for start in range(0, len(query), step):
            part = slice(start, start + step)
            difference = np.subtract(
                self.queries[query[part]], rows[row[part]], dtype=np.float64
            )
            distances[part] = np.einsum("nd,nd->n", difference, difference)
        return distances

    def _merge(self, query: np.ndarray, ids: np.ndarray, distances: np.ndarray) -> None:
        if not len(query):
            return
        touched, compact = np.unique(query, return_inverse=True)
        old = np.repeat(np.arange(len(touched)), self.k)
        query = np.concatenate([old, compact])
        distances = np.concatenate([self.distances[touched].ravel(), distances])
        ids = np.concatenate([self.ids[touched].ravel(), ids])
        order = np.lexsort((ids, distances, query))
        query = query[order]
        rank = np.arange(len(query)) - np.searchsorted(query, query)
        kept = order[rank < self.k]
        self.distances[touched] = distances[kept].reshape(-1, self.k)
        self.ids[touched] = ids[kept].reshape(-1, self.k)


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
