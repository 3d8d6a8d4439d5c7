"""Database rows by the cell that they lie in."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

_KEY_BITS = 16
_LOW_KEY = (1 << _KEY_BITS) - 1


@dataclass(frozen=True, eq=False)
class CellRows:
    """Rows in CSR form: those of a cell lie one after the other.

    Attributes:
        cells: The cell of each row that was given, int64; -1 for none.
        rows: Rows that lie in a cell, int64, by cell and ascending inside a cell.
        offsets: Where the rows of each cell begin, int64 `(num_cells + 1,)`.
        outside: Rows in no cell, ascending.
    """

    cells: np.ndarray
    rows: np.ndarray
    offsets: np.ndarray
    outside: np.ndarray

    @classmethod
    def from_cells(cls, cells: np.ndarray, num_cells: int) -> CellRows:
        """Groups rows `0, 1, ...`.

        Args:
            cells: The cell of each row, -1 for none.
            num_cells: Number of cells, those without rows too.

        Raises:
            ValueError: There is no such cell.
        """
        cells = np.asarray(cells, np.int64)
        if len(cells) and not (cells.min() >= -1 and cells.max() < num_cells):
            raise ValueError(
                f"`cells` must lie between -1 and {num_cells - 1}. Received: "
                f"{cells.min()} to {cells.max()}. Locate the rows by the same class "
                "table."
            )
        located = np.flatnonzero(cells >= 0)
        counts = np.bincount(cells[located], minlength=num_cells)
        rows = located[_stable_order(cells[located])]
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        return cls(cells, rows, offsets, np.flatnonzero(cells < 0))

    @property
    def num_cells(self) -> int:
        """Number of cells, those without rows too."""
        return len(self.offsets) - 1

    @functools.cached_property
    def counts(self) -> np.ndarray:
        """Rows of each cell, int64 `(num_cells,)`."""
        return np.diff(self.offsets)

    @functools.cached_property
    def is_held(self) -> np.ndarray:
        """Whether each cell has rows, `(num_cells,)`."""
        return self.counts > 0

    @functools.cached_property
    def num_held(self) -> int:
        """Cells that have rows."""
        return int(self.is_held.sum())

    def rows_of(self, cells: np.ndarray) -> np.ndarray:
        """Returns the rows of some cells, one cell after the other."""
        return self.rows[ranges(self.offsets[cells], self.counts[cells])]

    def part(self, rows: np.ndarray) -> CellRows:
        """Returns the same without all rows but some, ascending, that keep their names.

        Args:
            rows: Of those that were given.
        """
        of_part = CellRows.from_cells(self.cells[rows], self.num_cells)
        return CellRows(
            self.cells, rows[of_part.rows], of_part.offsets, rows[of_part.outside]
        )


def ranges(starts: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Returns `start, ..., start + count - 1` of each, one after the other."""
    ends = np.cumsum(counts)
    first = np.repeat(starts - ends + counts, counts)
    return first + np.arange(len(first))


def _stable_order(cells: np.ndarray) -> np.ndarray:
    """Sorts by two keys of 16 bits: NumPy sorts these in linear time."""
    order = np.argsort((cells & _LOW_KEY).astype(np.uint16), kind="stable")
    high = cells >> _KEY_BITS
    if len(high) and high.max() > 0:
        order = order[np.argsort(high[order].astype(np.uint16), kind="stable")]
    return order
