"""Which cell of a partition a position lies in."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from vpr_tf.classification.errors import ClassificationError
from vpr_tf.classification.stored_arrays import StoredArrays
from vpr_tf.geo import Positions
from vpr_tf.search import MISSING_ID

_LARGEST_KEY = 1 << 62
_LARGEST_CELL_M = 10**7  # no cell is wider than a zone is high
_LARGEST_LOOKUP = 1 << 24  # int64: 128 MiB


class Cells(Protocol):
    """The cells of a class table, numbered from 0."""

    def locate(self, positions: Positions) -> np.ndarray:
        """Returns the cell of each position, int64; -1 outside of all cells."""

    def arrays(self) -> dict[str, np.ndarray]:
        """Returns all that the cells are made of."""

    def __len__(self) -> int:
        """Number of cells."""


@dataclass(frozen=True, eq=False)
class GridCells:
    """Squares of the UTM grid; those of different zones are different.

    Attributes:
        cell_size_m: Side of a square (M).
        zone: Signed UTM zone of each cell, int64.
        east: Number of the cell in its zone, floor(utm_east / M), int64.
        north: floor(utm_north / M), int64.
    """

    cell_size_m: int
    zone: np.ndarray
    east: np.ndarray
    north: np.ndarray

    def __len__(self) -> int:
        return len(self.zone)

    def locate(self, positions: Positions) -> np.ndarray:
        """See `Cells.locate`."""
        size_cm = 100 * self.cell_size_m
        table = np.stack([self.zone, self.east, self.north], axis=1)
        queries = np.stack(
            [
                positions.utm_zone.astype(np.int64),
                positions.utm_east_cm // size_cm,
                positions.utm_north_cm // size_cm,
            ],
            axis=1,
        )
        return rows_of(table, queries, positions.known)

    def arrays(self) -> dict[str, np.ndarray]:
        """See `Cells.arrays`."""
        return {name: np.asarray(value) for name, value in vars(self).items()}


@dataclass(frozen=True, eq=False)
class RegionCells:
    """Intersections of classes that are unions of S2 cells.

    Attributes:
        first_leaf: First S2 leaf cell of each interval, uint64.
        last_leaf: Last leaf cell, inclusive.
        group: Group of the interval's class, int32; intervals are sorted by group,
            then by leaf, and disjoint inside a group.
        class_index: Class inside the group, int32.
        members: The class of each group that a cell lies in, int32
            `(num_cells, num_groups)`.
    """

    first_leaf: np.ndarray
    last_leaf: np.ndarray
    group: np.ndarray
    class_index: np.ndarray
    members: np.ndarray

    def __len__(self) -> int:
        return len(self.members)

    def locate(self, positions: Positions) -> np.ndarray:
        """See `Cells.locate`."""
        queries = self.classes(positions)
        inside = np.asarray((queries >= 0).all(axis=1))
        return rows_of(self.members.astype(np.int64), queries, inside)

    def classes(self, positions: Positions) -> np.ndarray:
        """Returns the class of each group, int64 `(num_positions, num_groups)`.

        It is -1 where a group has no class, and at unknown positions.
        """
        from vpr_tf.geo.s2_cells import leaf_cells

        leaves = leaf_cells(positions.latitude_deg, positions.longitude_deg)
        num_groups = self.members.shape[1]
        found = [self._classes(group, leaves) for group in range(num_groups)]
        return np.where(positions.known[:, None], np.stack(found, axis=1), MISSING_ID)

    def _classes(self, group: int, leaves: np.ndarray) -> np.ndarray:
        rows = slice(*np.searchsorted(self.group, [group, group + 1]).tolist())
        first, last = self.first_leaf[rows], self.last_leaf[rows]
        interval = np.searchsorted(first, leaves, side="right") - 1
        found = (interval >= 0) & (leaves <= last[np.maximum(interval, 0)])
        classes = self.class_index[rows].astype(np.int64)
        return np.where(found, classes[np.maximum(interval, 0)], MISSING_ID)

    def arrays(self) -> dict[str, np.ndarray]:
        """See `Cells.arrays`."""
        return {name: np.asarray(value) for name, value in vars(self).items()}


def cells_of_arrays(arrays: dict[str, Any]) -> Cells:
    """Makes the cells that `Cells.arrays` described.

    Raises:
        ClassificationError: An array is missing or of another type or shape.
    """
    cells = StoredArrays(arrays, "cells/")
    if "cell_size_m" in arrays:
        size = int(cells.take("cell_size_m", "iu", ()))
        if not 0 < size <= _LARGEST_CELL_M:
            raise ClassificationError(f"Cells cannot be {size} m wide.")
        shape = (cells.length("zone"),)
        zone, east, north = (
            cells.take(name, "i", shape) for name in ("zone", "east", "north")
        )
        return GridCells(size, zone, east, north)
    shape = (cells.length("group"),)
    return RegionCells(
        cells.take("first_leaf", "u", shape),
        cells.take("last_leaf", "u", shape),
        cells.take("group", "i", shape),
        cells.take("class_index", "i", shape),
        cells.take("members", "i", (None, None)),
    )


def rows_of(table: np.ndarray, queries: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Finds rows of one integer table in another; -1 where there is none."""
    found = np.full(len(queries), MISSING_ID, np.int64)
    if not len(table):
        return found
    low, high = table.min(axis=0), table.max(axis=0)
    rows = np.flatnonzero(valid & ((queries >= low) & (queries <= high)).all(axis=1))
    sizes = (high - low + 1).tolist()
    keys, wanted = _keys(table - low, queries[rows] - low, sizes)
    if math.prod(sizes) <= _LARGEST_LOOKUP:
        lookup = np.full(math.prod(sizes), MISSING_ID, np.int64)
        lookup[keys] = np.arange(len(keys))
        found[rows] = lookup[wanted]
        return found
    order = np.argsort(keys)
    place = np.minimum(np.searchsorted(keys[order], wanted), len(keys) - 1)
    matches = keys[order[place]] == wanted
    found[rows[matches]] = order[place[matches]]
    return found


def _keys(
    table: np.ndarray, queries: np.ndarray, sizes: list[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Numbers the rows of two tables, equal rows alike."""
    if math.prod(sizes) >= _LARGEST_KEY:
        both = np.concatenate([table, queries])
        numbers = np.unique(both, axis=0, return_inverse=True)[1].ravel()
        return numbers[: len(table)], numbers[len(table) :]
    strides = np.array([math.prod(sizes[i + 1 :]) for i in range(len(sizes))], np.int64)
    return table @ strides, queries @ strides
