"""The classes around a position on a grid of cells, weighted by their distance."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from keras import ops

from vpr_tf.layers._construction import check_class_centres

# Of a cell or heading bin; what is nearer to a centre is as near as this.
_SMALLEST_DISTANCE = 1e-3
# Headings of a degree that are told apart: a sine and cosine in float32 give 30 degrees
# as 29.999998, which is the bin before.
_STEPS_PER_DEG = 1000.0
# Free rows and columns around the grid, where positions off the map go.
_MARGIN = 3
_OFFSETS = np.stack(np.meshgrid([-1, 0, 1], [-1, 0, 1], indexing="ij"), -1)
_OFFSETS = _OFFSETS.reshape(9, 2).astype("int64")


class NeighbouringClasses:
    """Finds the classes of a position's own cell and of the eight around it.

    Args:
        class_centres: Centres of the classes' cells in metres, `(num_classes, 2)`, on
            a grid; cells may be missing.
        cell_size_m: Length of the cells' sides.
        class_headings_deg: Middle of each class's heading bin, `(num_classes,)`; None
            when classes have no heading. Bins begin at multiples of their width.
        heading_size_deg: Width of the heading bins; None without headings.
        spread_headings: Whether the two bins beside the own one count as well, by the
            inverse of the angle to their middle.

    Raises:
        ValueError: The centres lie on no such grid, two classes share a cell and
            heading, a bin begins elsewhere, or an argument has another shape.
    """

    def __init__(
        self,
        class_centres: npt.ArrayLike,
        cell_size_m: float,
        class_headings_deg: npt.ArrayLike | None = None,
        heading_size_deg: float | None = None,
        spread_headings: bool = False,
    ) -> None:
        centres = check_class_centres(class_centres)
        if not cell_size_m > 0:
            raise ValueError(
                f"`cell_size_m` must be positive. Received: cell_size_m={cell_size_m}"
            )
        headings = _check_headings(class_headings_deg, heading_size_deg, len(centres))
        self._centres, self._cell_size_m = centres, cell_size_m
        self._headings_deg = None if class_headings_deg is None else headings
        self._heading_size_deg = heading_size_deg
        self._spread_headings = spread_headings
        self._origin = centres.min(axis=0)
        cells = self._cells_of_centres(centres)
        self._num_cells = cells.max(axis=0) + 1
        keys, rows = np.unique(self._keys(cells), return_inverse=True)
        self._bins_deg, bins = np.unique(headings, return_inverse=True)
        # The last row is for all that is no class's cell.
        table = np.full((len(keys) + 1, len(self._bins_deg)), -1, "int32")
        table[rows, bins] = np.arange(len(centres))
        if np.count_nonzero(table >= 0) < len(centres):
            raise ValueError(
                "Classes must differ in cell or heading. Received: "
                f"{len(centres)} classes, {np.count_nonzero(table >= 0)} different."
            )
        self._sorted_keys, self._table = keys, table

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self._centres)

    def __call__(self, places: Any) -> tuple[Any, Any]:
        """Returns the classes near places, and their weights.

        A weight is the inverse of the distance to the cell's centre. Of the heading
        bins the own one counts, or all of them alike when the heading is unknown.

        Args:
            places: Float32 tensor `(batch, 4)`: metres east and north, sine and cosine
                of the heading (both 0 if unknown).

        Returns:
            Classes, int32, and weights, float32, both `(batch, 9 * num_bins)`. Weights
            sum to 1; to 0 where no class is near. Those of cells or bins that are no
            class are 0, and their class is 0.
        """
        size = self._cell_size_m
        relative = (places[:, :2] - self._origin.astype("float32")) / size
        last = (self._num_cells + _MARGIN - 2).astype("float32")
        own = ops.clip(ops.floor(relative + 0.5), 1 - _MARGIN, last)
        cells = ops.cast(own, "int64")[:, None] + _OFFSETS
        classes = ops.take(self._table, self._rows(cells), axis=0)
        squares = ops.square(relative[:, None] - ops.cast(cells, "float32"))
        distances = ops.sqrt(ops.sum(squares, axis=2))
        weights = 1.0 / ops.maximum(distances, _SMALLEST_DISTANCE)
        weights = weights[:, :, None] * self._heading_weights(places[:, 2:])[:, None]
        weights = ops.where(classes >= 0, weights, 0.0)
        shape = (-1, 9 * len(self._bins_deg))
        weights = ops.reshape(weights, shape)
        total = ops.sum(weights, axis=1, keepdims=True)
        weights = weights / ops.where(total > 0, total, 1.0)
        return ops.reshape(ops.maximum(classes, 0), shape), weights

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of `__init__`, arrays as nested lists."""
        headings = self._headings_deg
        return {
            "class_centres": self._centres.tolist(),
            "cell_size_m": self._cell_size_m,
            "class_headings_deg": None if headings is None else headings.tolist(),
            "heading_size_deg": self._heading_size_deg,
            "spread_headings": self._spread_headings,
        }

    def _cells_of_centres(self, centres: np.ndarray) -> np.ndarray:
        """Returns the column and row of each centre, int64 `(num_classes, 2)`."""
        relative = (centres - self._origin) / self._cell_size_m
        cells = np.rint(relative)
        off = np.abs(relative - cells).max(axis=1)
        if off.max() > 0.01:
            raise ValueError(
                "`class_centres` must lie on a grid of cells of `cell_size_m`, as the "
                "methods cosplace and divide_and_classify make them in one UTM zone. "
                f"Received: {centres[off.argmax()].tolist()} with cell_size_m="
                f"{self._cell_size_m}"
            )
        return cells.astype("int64")

    def _keys(self, cells: Any) -> Any:
        """One number for each cell, also of those in the margin."""
        height = int(self._num_cells[1]) + 2 * _MARGIN
        return (cells[..., 0] + _MARGIN) * height + cells[..., 1] + _MARGIN

    def _rows(self, cells: Any) -> Any:
        """Rows of the class table; its last one where there is no class."""
        keys, num_rows = self._keys(cells), len(self._sorted_keys)
        rows = ops.searchsorted(self._sorted_keys, ops.reshape(keys, (-1,)))
        rows = ops.reshape(ops.minimum(rows, num_rows - 1), ops.shape(keys))
        found = ops.equal(ops.take(self._sorted_keys, rows), keys)
        return ops.where(found, rows, num_rows)

    def _heading_weights(self, headings: Any) -> Any:
        """Weights of the heading bins, `(batch, num_bins)`."""
        if self._heading_size_deg is None:
            return ops.ones_like(headings[:, :1])
        size = self._heading_size_deg
        heading_deg = ops.arctan2(headings[:, 0], headings[:, 1]) * (180 / math.pi)
        if not self._spread_headings:
            heading_deg = (self._own_bin(heading_deg) + 0.5) * size
        turn = heading_deg[:, None] - self._bins_deg.astype("float32")
        angles = ops.abs(ops.mod(turn + 180.0, 360.0) - 180.0) / size
        if self._spread_headings:
            weights = 1.0 / ops.maximum(angles, _SMALLEST_DISTANCE)
            weights = ops.where(angles < 1.5, weights, 0.0)
        else:
            weights = ops.cast(angles < _SMALLEST_DISTANCE, "float32")
        known = ops.any(headings != 0, axis=1, keepdims=True)
        return ops.where(known, weights, 1.0)

    def _own_bin(self, heading_deg: Any) -> Any:
        """Number of the bin of each heading, float32."""
        # Whole numbers: graphs multiply by the rounded inverse instead of dividing.
        steps = ops.cast(ops.round(heading_deg % 360.0 * _STEPS_PER_DEG), "int64")
        size = round(_STEPS_PER_DEG * float(self._heading_size_deg or 360))
        return ops.cast(steps // size, "float32")


def _check_headings(
    headings_deg: npt.ArrayLike | None, size_deg: float | None, num_classes: int
) -> np.ndarray:
    if (headings_deg is None) != (size_deg is None):
        raise ValueError(
            "`class_headings_deg` and `heading_size_deg` go together. Received: "
            f"heading_size_deg={size_deg} "
            f"{'without' if headings_deg is None else 'with'} class_headings_deg"
        )
    if headings_deg is None or size_deg is None:
        return np.zeros(num_classes)
    headings = np.asarray(headings_deg, "float64") % 360
    if headings.shape != (num_classes,) or not 0 < size_deg <= 360:
        raise ValueError(
            "`class_headings_deg` must have one value for each class, and "
            "`heading_size_deg` be in (0, 360]. Received: class_headings_deg.shape="
            f"{headings.shape} for {num_classes} classes, heading_size_deg={size_deg}"
        )
    off = np.abs(headings / size_deg % 1 - 0.5)
    if 360 % size_deg == 0 and off.max() > _SMALLEST_DISTANCE:
        raise ValueError(
            "`class_headings_deg` must be middles of bins that begin at multiples of "
            f"`heading_size_deg`. Received: {headings[off.argmax()]} with "
            f"heading_size_deg={size_deg}"
        )
    return headings
