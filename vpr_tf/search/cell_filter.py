"""Exact search of the best cells of a ranking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from vpr_tf.geo import Positions
from vpr_tf.search.cell_rows import CellRows
from vpr_tf.search.cell_search import search_cells
from vpr_tf.search.descriptors import Descriptors, checked_queries
from vpr_tf.search.search_index import SearchIndex


class CellRanking(Protocol):
    """Says which cells of a map a query was probably taken in."""

    @property
    def descriptor_dim(self) -> int:
        """Length of the descriptors that it ranks cells for."""

    @property
    def num_cells(self) -> int:
        """Cells of the map."""

    def cells_of(self, positions: Positions) -> np.ndarray:
        """Returns the cell of each position, int64; -1 outside of all cells."""

    def best_cells(
        self, descriptors: np.ndarray, n: int, competing: np.ndarray
    ) -> np.ndarray:
        """Returns the n best cells of each query, best first, each once.

        Args:
            descriptors: Float32 `(num_queries, descriptor_dim)`.
            n: Cells a query, at most as many as compete.
            competing: Whether each cell may be among them, `(num_cells,)`.

        Returns:
            Int64 `(num_queries, n)`.
        """


@dataclass(frozen=True, eq=False)
class CellFilter:
    """Restricts a search to the best cells of each query.

    Cells without rows do not compete, so that a query always finds something. When all
    that have rows may be searched, the whole database is, rows outside of all cells
    included. Where only some rows are searched, the cells of these rows compete.

    Attributes:
        ranking: Chooses the cells.
        num_cells: How many are searched (K); None for all.
        descriptors: Of the queries, for the ranking; None for those that are searched
            for.

    Reference:
        Trivigno et al., "Divide&Classify: Fine-Grained Classification for City-Wide
        Visual Geo-Localization", ICCV 2023, arXiv:2307.08417.
    """

    ranking: CellRanking
    num_cells: int | None
    descriptors: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.num_cells is not None and self.num_cells < 1:
            raise ValueError(
                "`num_cells` must be 1 or more, or None for all cells. Received: "
                f"{self.num_cells}"
            )

    def covers(self, cell_rows: CellRows) -> bool:
        """Whether all cells that have rows are searched: nothing is restricted."""
        return self.num_cells is None or self.num_cells >= cell_rows.num_held

    def search(
        self, database: Descriptors, queries: np.ndarray, k: int, cell_rows: CellRows
    ) -> tuple[np.ndarray, np.ndarray]:
        """Searches the best of those cells that have rows.

        Args:
            database: What is searched.
            queries: Descriptors `(num_queries, descriptor_dim)`.
            k: Neighbours a query.
            cell_rows: The rows of each cell.

        Returns:
            See `SearchIndex.search`.

        Raises:
            ValueError: Queries are not finite, or have another length than the database
                or the ranking.
        """
        queries = checked_queries(queries, database.shape[1])
        ranked = queries if self.descriptors is None else self.descriptors
        if ranked.shape != (len(queries), self.ranking.descriptor_dim):
            raise ValueError(
                "Cells must be ranked by descriptors of the shape "
                f"{(len(queries), self.ranking.descriptor_dim)}. Received: "
                f"{ranked.shape}. Compute them with the encoder of the classifier."
            )
        n = cell_rows.num_held if self.num_cells is None else self.num_cells
        chosen = self.ranking.best_cells(ranked, n, cell_rows.is_held)
        return search_cells(database, queries, k, cell_rows, chosen)


@dataclass(frozen=True, eq=False)
class CellFilteredIndex:
    """An index of which the best cells of each query are searched, exactly.

    Attributes:
        index: Finds the neighbours where all cells are searched.
        cell_rows: The rows of each cell.
        ranking: Chooses the cells.
        num_cells: How many are searched (K); None for all.
    """

    index: SearchIndex
    cell_rows: CellRows
    ranking: CellRanking
    num_cells: int | None

    def __post_init__(self) -> None:
        self._filter()  # which checks the number of cells

    @property
    def is_exact(self) -> bool:
        """Whether all cells are searched, and exactly."""
        return self._filter().covers(self.cell_rows) and self.index.is_exact

    def search(
        self, queries: np.ndarray, k: int, ranked: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """See `SearchIndex.search`.

        Args:
            queries: Descriptors `(num_queries, descriptor_dim)`.
            k: Neighbours a query.
            ranked: Descriptors of the queries for the ranking, if these are others.
        """
        cells = self._filter(ranked)
        if cells.covers(self.cell_rows):
            return self.index.search(queries, k)
        return cells.search(self.index.descriptors, queries, k, self.cell_rows)

    def _filter(self, ranked: np.ndarray | None = None) -> CellFilter:
        return CellFilter(self.ranking, self.num_cells, ranked)
