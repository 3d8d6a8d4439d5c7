"""Exact search of the best cells of a ranking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from vpr_tf.geo import Positions
from vpr_tf.search.cell_rows import CellRows
from vpr_tf.search.cell_search import search_cells
from vpr_tf.search.search_index import Descriptors, Searchable


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
    """What restricts a search.

    Attributes:
        ranking: Chooses the cells.
        num_cells: How many are searched (K); None for all.
        descriptors: Of the queries, for the ranking; None for those that are searched
            for.
    """

    ranking: CellRanking
    num_cells: int | None
    descriptors: np.ndarray | None = None

    def __post_init__(self) -> None:
        check_num_cells(self.num_cells)

    def search(
        self, database: Descriptors, queries: np.ndarray, k: int, cell_rows: CellRows
    ) -> tuple[np.ndarray, np.ndarray]:
        """Searches the best of those cells that have rows.

        Args:
            database: What is searched.
            queries: Float32 `(num_queries, descriptor_dim)`, finite.
            k: Neighbours a query.
            cell_rows: The rows of each cell.

        Returns:
            See `SearchIndex.search`.
        """
        n = cell_rows.num_held if self.num_cells is None else self.num_cells
        ranked = queries if self.descriptors is None else self.descriptors
        chosen = self.ranking.best_cells(ranked, n, cell_rows.is_held)
        return search_cells(database, queries, k, cell_rows, chosen)


class CellFilteredIndex(Searchable):
    """Searches the database images of the best cells of each query, exactly.

    Cells without images do not compete, so that a query always finds something. When
    all that have images may be searched, the whole database is, images outside of all
    cells included, by the index that this one stands on. Where only some rows are
    searched, the cells of these rows compete.

    Args:
        index: Finds the neighbours where all cells are searched.
        cell_rows: The rows of each cell.
        ranking: Chooses the cells.
        num_cells: How many are searched (K); None for all.
        shares_descriptors: Whether cells are ranked by the descriptors that are
            searched for. Else queries carry those of the ranking behind these.

    Reference:
        Trivigno et al., "Divide&Classify: Fine-Grained Classification for City-Wide
        Visual Geo-Localization", ICCV 2023, arXiv:2307.08417.
    """

    def __init__(
        self,
        index: Searchable,
        cell_rows: CellRows,
        ranking: CellRanking,
        num_cells: int | None,
        *,
        shares_descriptors: bool = True,
    ) -> None:
        check_num_cells(num_cells)
        if shares_descriptors and ranking.descriptor_dim != index.descriptor_dim:
            raise ValueError(
                "Cells must be ranked by the descriptors that are searched, of "
                f"{index.descriptor_dim} values. Received: a classifier for "
                f"{ranking.descriptor_dim} values. Queries must carry its own."
            )
        self.descriptors = index.descriptors
        self._index = index
        self._cell_rows = cell_rows
        self._ranking = ranking
        self._num_cells = num_cells
        self._shares = shares_descriptors

    @property
    def query_dim(self) -> int:
        """Length of a query: with the descriptor of the ranking, if that differs."""
        own = 0 if self._shares else self._ranking.descriptor_dim
        return self.descriptor_dim + own

    @property
    def is_exact(self) -> bool:
        """Whether all cells are searched, and exactly."""
        covers = covers_all(self._cell_rows, self._num_cells)
        return covers and self._index.is_exact

    @property
    def settings(self) -> dict[str, Any]:
        """How many cells are searched."""
        return {"num_cells": self._num_cells}

    def _search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        if covers_all(self._cell_rows, self._num_cells):
            return self._index.search(queries[:, : self.descriptor_dim], k)
        return self._search_best(queries, k, self._cell_rows)

    def _search_rows(
        self, queries: np.ndarray, k: int, rows: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        cell_rows = self._cell_rows.part(rows)
        if covers_all(cell_rows, self._num_cells):
            own = queries[:, : self.descriptor_dim]
            return self._index.search(own, k, rows=rows)
        return self._search_best(queries, k, cell_rows)

    def _search_best(
        self, queries: np.ndarray, k: int, cell_rows: CellRows
    ) -> tuple[np.ndarray, np.ndarray]:
        own = np.ascontiguousarray(queries[:, : self.descriptor_dim])
        ranked = None if self._shares else queries[:, self.descriptor_dim :]
        best = CellFilter(self._ranking, self._num_cells, ranked)
        return best.search(self.descriptors, own, k, cell_rows)


def covers_all(cell_rows: CellRows, num_cells: int | None) -> bool:
    """Whether so many cells are all that have rows."""
    return num_cells is None or num_cells >= cell_rows.num_held


def check_num_cells(num_cells: int | None) -> None:
    """Checks a number of cells (K).

    Raises:
        ValueError: Below 1.
    """
    if num_cells is not None and num_cells < 1:
        raise ValueError(
            "`num_cells` must be 1 or more, or None for all cells. Received: "
            f"{num_cells}"
        )
