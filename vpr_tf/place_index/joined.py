"""Segments one after the other, without a copy of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from vpr_tf.geo import Positions
from vpr_tf.photos import PhotoTable
from vpr_tf.search import Descriptors, row_numbers


class JoinedDescriptors:
    """The rows of several matrices.

    Args:
        parts: Matrices of the same width and type.
        descriptor_dim: Length of a descriptor.
        dtype: Of the descriptors.
    """

    def __init__(
        self, parts: Sequence[Descriptors], descriptor_dim: int, dtype: np.dtype
    ) -> None:
        self._parts = parts
        self._offsets = _offsets(parts)
        self.shape = (int(self._offsets[-1]), descriptor_dim)
        self.dtype = dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> np.ndarray:
        """Returns the rows of a slice or of an array of row numbers."""
        rows = row_numbers(rows, len(self))
        flat = rows.ravel()
        values = np.empty((len(flat), self.shape[1]), self.dtype)
        part = np.searchsorted(self._offsets, flat, "right") - 1
        for number in np.unique(part):
            mask = part == number
            values[mask] = self._parts[number][flat[mask] - self._offsets[number]]
        return values.reshape(*rows.shape, self.shape[1])


class SelectedDescriptors:
    """Some rows of a matrix.

    Args:
        descriptors: The matrix.
        rows: Its rows, in the order wanted.
    """

    def __init__(self, descriptors: Descriptors, rows: np.ndarray) -> None:
        self._descriptors = descriptors
        self._rows = rows
        self.shape = (len(rows), descriptors.shape[1])
        self.dtype = descriptors.dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> np.ndarray:
        """Returns the rows of a slice or of an array of row numbers."""
        return self._descriptors[self._rows[rows]]


def join_photos(parts: Sequence[PhotoTable]) -> PhotoTable:
    """Returns several tables as one, whose columns are made when needed."""
    return parts[0] if len(parts) == 1 else _JoinedPhotos(parts)


class _JoinedColumns:
    """The fields of a dataclass of columns, concatenated at first use."""

    _parts: Sequence[Any]

    def __getattr__(self, name: str) -> np.ndarray:
        if name not in {field.name for field in dataclasses.fields(self)}:  # type: ignore[arg-type]
            raise AttributeError(name)
        column = np.concatenate([getattr(part, name) for part in self._parts])
        object.__setattr__(self, name, column)
        return column

    def __len__(self) -> int:
        return sum(len(part) for part in self._parts)


class _JoinedPositions(_JoinedColumns, Positions):
    def __init__(self, parts: Sequence[Positions]) -> None:
        object.__setattr__(self, "_parts", parts)


class _JoinedPhotos(_JoinedColumns, PhotoTable):
    def __init__(self, parts: Sequence[PhotoTable]) -> None:
        object.__setattr__(self, "_parts", parts)
        positions = _JoinedPositions([part.positions for part in parts])
        object.__setattr__(self, "positions", positions)

    def take(self, rows: np.ndarray) -> PhotoTable:
        """See `PhotoTable.take`."""
        rows = row_numbers(rows, len(self))
        flat = rows.ravel()
        offsets = _offsets(self._parts)
        part = np.searchsorted(offsets, flat, "right") - 1
        numbers = np.unique(part)
        if not len(numbers):
            return self._parts[0].take(flat.reshape(rows.shape))
        order = np.argsort(part, kind="stable")
        taken = PhotoTable.concatenate(
            [
                self._parts[number].take(flat[part == number] - offsets[number])
                for number in numbers
            ]
        )
        place = np.empty(len(flat), np.int64)
        place[order] = np.arange(len(flat))
        return taken.take(place.reshape(rows.shape))


def _offsets(parts: Sequence[Any]) -> np.ndarray:
    return np.cumsum([0, *(len(part) for part in parts)])
