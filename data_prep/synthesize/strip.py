"""The part of a cylinder around a camera that is drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Strip:
    """Columns are azimuths, rows are tangents of the elevation.

    Attributes:
        azimuth_start: Azimuth of the left edge in radians, clockwise from north.
        azimuth_step: Radians from column to column.
        columns: Number of columns.
        top: Tangent of the elevation at the upper edge.
        row_step: Tangent from row to row, downwards.
        rows: Number of rows.
    """

    azimuth_start: float
    azimuth_step: float
    columns: int
    top: float
    row_step: float
    rows: int

    def azimuths(self) -> np.ndarray:
        """Returns (columns,) azimuths of the column centres in radians."""
        steps = np.arange(self.columns, dtype=np.float32) + np.float32(0.5)
        return np.float32(self.azimuth_start) + steps * np.float32(self.azimuth_step)

    def rays(self) -> np.ndarray:
        """Returns (2, columns) unit vectors, x east and y north."""
        azimuths = self.azimuths()
        return np.stack([np.sin(azimuths), np.cos(azimuths)])

    def tangents(self) -> np.ndarray:
        """Returns (rows,) tangents of elevation at the row centres."""
        steps = np.arange(self.rows, dtype=np.float32) + np.float32(0.5)
        return np.float32(self.top) - steps * np.float32(self.row_step)

    def rows_of(self, tangents: np.ndarray) -> np.ndarray:
        """Returns the first rows whose centres are at or below tangents."""
        rows = np.ceil((self.top - tangents) / self.row_step - 0.5)
        return np.clip(rows, 0, self.rows).astype(np.int32)

    def row_of(self, tangent: float) -> int:
        """Returns the first row whose centre is at or below a tangent."""
        return int(self.rows_of(np.array(tangent)))
