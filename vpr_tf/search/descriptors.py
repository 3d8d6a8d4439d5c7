"""The matrix that is searched, read in parts as float32; the mark of a missing row."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

MISSING_ID = -1
# Neighbours that may be wanted of a database without so many: 1.2 MB a query.
_MOST_MISSING = 100_000
_VALUES_PER_BLOCK = 1 << 22
# Of float16 made float32.
_VALUES_PER_STEP = 1 << 16  # float32: stays in a core's cache
_VALUES_PER_THREAD = 1 << 22
_SIGN_AND_VALUE = np.int32(-0x70000001)  # all bits but the three below the sign
# Moves the exponent of a float16, whose bias is 15, to that of a float32, 127.
_EXPONENT_SHIFT = np.float32(2.0**112)


class Descriptors(Protocol):
    """A matrix `(num_images, descriptor_dim)` that is read in parts.

    An array, a memory-mapped one, or a file that checks what it reads. Float32 or
    float16; whoever computes with a part makes it float32.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """`(num_images, descriptor_dim)`."""

    @property
    def dtype(self) -> np.dtype:
        """Float32 or float16."""

    def __len__(self) -> int:
        """Number of images."""

    def __getitem__(self, rows: Any) -> np.ndarray:
        """Returns the rows of a slice, or of an int64 array of row numbers."""


def check_descriptors(descriptors: Descriptors) -> None:
    """Checks that there is something to search.

    Raises:
        ValueError: Not a non-empty float32 or float16 matrix.
    """
    shape = descriptors.shape
    fits = descriptors.dtype in (np.float32, np.float16)
    if len(shape) != 2 or not fits or not shape[0] * shape[1]:
        raise ValueError(
            "`descriptors` must be a float32 or float16 array of shape (num_images, "
            "descriptor_dim) with at least one row. "
            f"Received: {descriptors.dtype} of shape {shape}"
        )


def checked_queries(queries: npt.ArrayLike, descriptor_dim: int) -> np.ndarray:
    """Returns queries as float32 `(num_queries, descriptor_dim)`.

    Args:
        queries: Of any type of number; `(descriptor_dim,)` is one query.
        descriptor_dim: Length that they must have.

    Raises:
        ValueError: Another length, or a value that is not finite.
    """
    matrix = np.asarray(queries, np.float32)
    if matrix.ndim == 1 and len(matrix) == descriptor_dim:
        matrix = matrix[None]
    if matrix.ndim != 2 or matrix.shape[1] != descriptor_dim:
        raise ValueError(
            "`queries` must have the shape (num_queries, descriptor_dim="
            f"{descriptor_dim}). Received: shape {matrix.shape}. Compute queries and "
            "database with the same encoder."
        )
    bad = np.flatnonzero(~np.isfinite(matrix).all(axis=1))
    if len(bad):
        raise ValueError(
            f"`queries` must be finite. Received: NaN or infinity in {len(bad)} "
            f"queries, the first is query {bad[0]}. Check the encoder's weights."
        )
    return matrix


def check_k(k: int, num_images: int) -> None:
    """Checks how many neighbours are wanted, before space is made for them.

    Args:
        k: Neighbours a query.
        num_images: Rows of the database.

    Raises:
        ValueError: `k` is below 1, or far above what there is.
    """
    if k < 1:
        raise ValueError(f"`k` must be 1 or more. Received: k={k}")
    most = max(num_images, _MOST_MISSING)
    if k > most:
        raise ValueError(
            f"`k` must be at most {most:,}: the database has {num_images:,} images. "
            f"Received: k={k}"
        )


def no_neighbours(num_queries: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns distances and rows `(num_queries, k)` of queries without neighbours."""
    return (
        np.full((num_queries, k), np.inf, np.float32),
        np.full((num_queries, k), MISSING_ID, np.int64),
    )


def row_numbers(rows: Any, num_rows: int) -> np.ndarray:
    """Returns a slice, a row number or an array of them as int64 numbers from 0.

    Raises:
        IndexError: There is no such row.
    """
    if isinstance(rows, slice):
        rows = np.arange(*rows.indices(num_rows))
    given = np.asarray(rows)
    numbers = np.where(given < 0, given + num_rows, given).astype(np.int64)
    if numbers.size and not 0 <= numbers.min() <= numbers.max() < num_rows:
        raise IndexError(
            f"Rows must lie between 0 and {num_rows - 1}. Received: {given}"
        )
    return numbers


def float32_blocks(descriptors: Descriptors) -> Iterator[tuple[int, np.ndarray]]:
    """Yields contiguous float32 blocks, with the row that each starts at."""
    step = max(1, _VALUES_PER_BLOCK // descriptors.shape[1])
    for start in range(0, len(descriptors), step):
        yield start, np.ascontiguousarray(descriptors[start : start + step], "<f4")


def finite_blocks(
    descriptors: Descriptors,
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Yields float32 blocks with their first row and the squared norms of their rows.

    Raises:
        ValueError: Some are not finite, or have no finite norm; after the last block.
    """
    bad: list[int] = []
    for start, rows in float32_blocks(descriptors):
        squared_norms = np.einsum("nd,nd->n", rows, rows)
        bad += (start + np.flatnonzero(~np.isfinite(squared_norms))).tolist()
        yield start, rows, squared_norms
    if bad:
        raise ValueError(
            "`descriptors` must be finite. Received: NaN or infinity in "
            f"{len(bad)} rows, the first is {bad[0]}. Check the encoder's weights."
        )


def as_float32(rows: np.ndarray) -> np.ndarray:
    """Returns finite values as float32; those that are float32 uncopied.

    NumPy converts 0.3 billion values a second. Here the bits of a float16 are moved to
    where a float32 has them, and one product, which is exact, corrects the exponent:
    each step is one instruction for many values, in all cores.
    """
    if rows.dtype != np.float16:
        return np.asarray(rows, np.float32)
    rows = np.ascontiguousarray(rows)
    converted = np.empty(rows.shape, np.float32)
    halves, values = rows.reshape(-1).view(np.int16), converted.reshape(-1)
    threads = len(os.sched_getaffinity(0)) if len(values) > _VALUES_PER_THREAD else 1
    if threads == 1:
        _convert_halves(halves, values)
        return converted
    parts = (np.array_split(halves, threads), np.array_split(values, threads))
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(_convert_halves, *parts))
    return converted


def _convert_halves(halves: np.ndarray, values: np.ndarray) -> None:
    bits = values.view(np.int32)
    for start in range(0, len(halves), _VALUES_PER_STEP):
        step = slice(start, start + _VALUES_PER_STEP)
        # The sign is extended into 16 bits and stays at the top; then three copies of
        # it are cleared from where the exponent of a float32 begins.
        np.left_shift(halves[step], 13, out=bits[step], dtype=np.int32)
        np.bitwise_and(bits[step], _SIGN_AND_VALUE, out=bits[step])
        np.multiply(values[step], _EXPONENT_SHIFT, out=values[step])
