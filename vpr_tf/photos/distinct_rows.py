"""Which rows of a table are equal."""

from __future__ import annotations

import math

import numpy as np

_LARGEST_KEY = 1 << 62


def distinct_rows(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Finds equal rows; as `np.unique` with an axis, but other threads run meanwhile.

    Args:
        table: `(num_rows, num_columns)`; millions of rows take least if they are whole
            numbers.

    Returns:
        The first of each group of equal rows, groups ascending by their first column,
        then the second, ...; and the number of each row's group, int64 `(num_rows,)`.
    """
    keys = _packed(table)
    columns = table.T if keys is None else keys[None]
    order = np.lexsort(columns[::-1])
    begins = np.zeros(len(table), bool)
    begins[:1] = True
    for column in columns:
        ordered = column[order]
        begins[1:] |= ordered[1:] != ordered[:-1]
    group_of = np.empty(len(table), np.int64)
    group_of[order] = np.cumsum(begins) - 1
    return order[begins], group_of


def _packed(table: np.ndarray) -> np.ndarray | None:
    """Returns one int64 a row that orders rows alike; None where there is none."""
    if table.dtype.kind != "i" or not len(table):
        return None
    lows, highs = table.min(axis=0).tolist(), table.max(axis=0).tolist()
    sizes = [high - low + 1 for low, high in zip(lows, highs, strict=True)]
    if math.prod(sizes) > _LARGEST_KEY:
        return None
    keys = np.zeros(len(table), np.int64)
    for column, low, size in zip(table.T, lows, sizes, strict=True):
        keys *= size
        keys += column
        keys -= low
    return keys
