"""Exact search of those database rows that lie in some cells of each query's own."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vpr_tf.search.cell_rows import CellRows
from vpr_tf.search.descriptors import Descriptors, as_float32, no_neighbours
from vpr_tf.search.distances import (
    k_nearest_pairs,
    pair_distances,
    rounding_of_scores,
)

_SCORES_PER_CHUNK = 1 << 22  # float32: 16 MiB
_VALUES_PER_BLOCK = 1 << 22  # of the database: 16 MiB
# To read a cell once for all queries that ask for it costs some microseconds a cell,
# which so many queries a cell repay.
_QUERIES_PER_SHARED_CELL = 2.0


def search_cells(
    descriptors: Descriptors,
    queries: np.ndarray,
    k: int,
    cell_rows: CellRows,
    chosen: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the k nearest rows of each query among those of its cells.

    Products in float32 find candidates, distances are then computed from differences
    in float64, as `NearestRows` does: the same row has the same distance.

    Args:
        descriptors: The database.
        queries: Float32 `(num_queries, descriptor_dim)`.
        k: Neighbours a query.
        cell_rows: Rows of each cell.
        chosen: Cells of each query, int64 `(num_queries, num_chosen)`, each once; -1
            for fewer.

    Returns:
        Squared distances, float32, and rows, int64, `(num_queries, k)`; equal
        distances by the lowest row; inf and -1 where the cells have too few rows.
    """
    distances, ids = no_neighbours(len(queries), k)
    num_pairs = np.where(chosen >= 0, cell_rows.counts[chosen], 0).sum(axis=1)
    for block in _groups(num_pairs, _SCORES_PER_CHUNK):
        chunk = _Chunk(descriptors, queries[block], cell_rows, chosen[block])
        query, rows, pair_distance = chunk.nearest(k)
        kept, rank = k_nearest_pairs(query, rows, pair_distance, k)
        place = (query[kept] + block.start, rank)
        distances[place], ids[place] = pair_distance[kept], rows[kept]
    return distances, ids


class _Chunk:
    """Some queries with all rows of their cells: the pairs of the chunk.

    Args:
        descriptors: The database.
        queries: The queries.
        cell_rows: Rows of each cell.
        chosen: Cells of each query.
    """

    def __init__(
        self,
        descriptors: Descriptors,
        queries: np.ndarray,
        cell_rows: CellRows,
        chosen: np.ndarray,
    ) -> None:
        self.descriptors = descriptors
        self.queries = queries
        self._cell_rows = cell_rows
        self._query, column = np.nonzero(chosen >= 0)
        self._cell = chosen[self._query, column]
        counts = cell_rows.counts[self._cell]
        ends = np.cumsum(counts)
        self._first = ends - counts
        num_pairs = int(ends[-1]) if len(ends) else 0
        bounds = np.searchsorted(self._query, np.arange(len(queries) + 1))
        self._bounds = np.append(self._first, num_pairs)[bounds]
        self._rows = cell_rows.rows_of(self._cell)
        self._scores = np.empty(num_pairs, np.float32)
        self._longest = 0.0

    def nearest(self, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns query, row and distance of all pairs that can be among the nearest.

        Args:
            k: Neighbours a query.
        """
        num_cells = len(np.unique(self._cell))
        if len(self._cell) >= _QUERIES_PER_SHARED_CELL * num_cells:
            self._score_by_cell()
        else:
            self._score_by_query()
        pairs = np.concatenate(
            [
                self._candidates(query, k)
                for query in range(len(self.queries))
                if self._bounds[query] < self._bounds[query + 1]
            ]
            or [np.empty(0, np.int64)]
        )
        query = np.searchsorted(self._bounds, pairs, side="right") - 1
        rows = self._rows[pairs]
        return query, rows, pair_distances(self.queries, query, self.descriptors, rows)

    def _score_by_query(self) -> None:
        for query, vector in enumerate(self.queries):
            stop = self._bounds[query + 1]
            for start in range(self._bounds[query], stop, self._step):
                block = slice(start, min(start + self._step, stop))
                part, halves = self._read(self._rows[block])
                np.subtract(part @ vector, halves, out=self._scores[block])

    def _score_by_cell(self) -> None:
        order = np.argsort(self._cell, kind="stable")
        cells, starts = np.unique(self._cell[order], return_index=True)
        pairs_of_cells = np.split(order, starts[1:])
        counts = self._cell_rows.counts[cells]
        for group in _groups(counts, self._step):
            part, halves = self._read(self._cell_rows.rows_of(cells[group]))
            start = 0
            for count, pairs in zip(counts[group], pairs_of_cells[group], strict=True):
                rows = slice(start, start + count)
                scores = self.queries[self._query[pairs]] @ part[rows].T
                scores -= halves[rows]
                place = self._first[pairs][:, None] + np.arange(count)
                self._scores[place] = scores
                start += count

    @property
    def _step(self) -> int:
        return max(1, _VALUES_PER_BLOCK // self.queries.shape[1])

    def _read(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns descriptors and the halves of their squared norms."""
        part = as_float32(self.descriptors[rows])
        halves = 0.5 * np.einsum("nd,nd->n", part, part)
        self._longest = max(self._longest, float(np.sqrt(2 * halves.max(initial=0))))
        return part, halves

    def _candidates(self, query: int, k: int) -> np.ndarray:
        """Returns the pairs of a query that are among its k best, or by rounding."""
        start, stop = self._bounds[query : query + 2]
        scores = self._scores[start:stop]
        if len(scores) <= k:
            return np.arange(start, stop)
        kth = len(scores) - k
        lowest = float(np.partition(scores, kth)[kth])
        norm = np.linalg.norm(self.queries[query].astype(np.float64))
        lowest -= float(rounding_of_scores(norm, self._longest, self.queries.shape[1]))
        return start + np.flatnonzero(scores >= np.float32(lowest))


def _groups(counts: np.ndarray, limit: int) -> Iterator[slice]:
    """Yields what follows each other and counts no more than a limit, one at least."""
    ends = np.cumsum(counts)
    first = 0
    while first < len(ends):
        before = ends[first - 1] if first else 0
        last = int(np.searchsorted(ends, before + limit, side="right"))
        yield slice(first, max(first + 1, last))
        first = max(first + 1, last)
