"""The interface of an index: build, search, write, read."""

from __future__ import annotations

import abc
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np

MISSING_ID = -1


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


class Searchable(abc.ABC):
    """Finds the nearest database descriptors of a query.

    Distances are squared Euclidean; for descriptors of unit length the order is that
    of the dot product (distance = 2 - 2 * similarity).

    Attributes:
        descriptors: The database, a reference and never a changed copy.
    """

    descriptors: Descriptors

    @property
    def num_images(self) -> int:
        """Rows of the database."""
        return self.descriptors.shape[0]

    @property
    def descriptor_dim(self) -> int:
        """Length of a descriptor."""
        return self.descriptors.shape[1]

    @property
    def query_dim(self) -> int:
        """Length of a query; as of a descriptor unless more is asked for."""
        return self.descriptor_dim

    @property
    @abc.abstractmethod
    def is_exact(self) -> bool:
        """Whether every true neighbour is found."""

    @property
    @abc.abstractmethod
    def settings(self) -> dict[str, Any]:
        """All that it was told or chose, JSON-ready."""

    def search(
        self, queries: np.ndarray, k: int, *, rows: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns the k nearest database images of each query, nearest first.

        Args:
            queries: Descriptors `(num_queries, query_dim)`.
            k: Neighbours a query; may exceed the database size.
            rows: Database rows to search, int64, ascending, without repetition; None
                for all. A part of the database is always searched exactly.

        Returns:
            Squared distances, float32, and database rows, int64, both of shape
            `(num_queries, k)`. Missing neighbours have distance inf and row -1.

        Raises:
            ValueError: `k` is below 1, a query is not finite, or the descriptors have
                another length.
        """
        queries = self._checked_queries(queries)
        if k < 1:
            raise ValueError(f"`k` must be 1 or more. Received: k={k}")
        distances = np.full((len(queries), k), np.inf, np.float32)
        ids = np.full((len(queries), k), MISSING_ID, np.int64)
        found = min(k, self.num_images if rows is None else len(rows))
        if len(queries) and found:
            distances[:, :found], ids[:, :found] = (
                self._search(queries, found)
                if rows is None
                else self._search_rows(queries, found, rows)
            )
        return distances, ids

    def _checked_queries(self, queries: np.ndarray) -> np.ndarray:
        queries = np.asarray(queries, np.float32)
        if queries.ndim != 2 or queries.shape[1] != self.query_dim:
            raise ValueError(
                "`queries` must have the shape (num_queries, descriptor_dim="
                f"{self.query_dim}). Received: shape {queries.shape}. Compute "
                "queries and database with the same encoder."
            )
        check_finite(queries)
        return queries

    @abc.abstractmethod
    def _search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Searches checked queries; `k` is at most the database size."""

    def _search_rows(
        self, queries: np.ndarray, k: int, rows: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Searches a part of the database exactly; `k` is at most `len(rows)`."""
        from vpr_tf.search.exact_index import search_rows

        return search_rows(self.descriptors, queries, k, rows)


class SearchIndex(Searchable):
    """What is searched, as it is built, written and read.

    Attributes:
        kind: Name of the index in the config and in saved folders. A saved index does
            not hold the descriptors a second time.
    """

    kind: str

    @classmethod
    @abc.abstractmethod
    def build(
        cls,
        descriptors: Descriptors,
        settings: dict[str, Any] | None = None,
    ) -> Self:
        """Makes an index of finite descriptors `(num_images, descriptor_dim)`.

        Args:
            descriptors: May be memory-mapped and larger than the memory where the
                index says so.
            settings: What the kind of index can be told; None for what suits the
                size. Unknown names are an error.

        Raises:
            ValueError: Not a non-empty float matrix, not all finite, or a setting
                cannot be.
        """

    @abc.abstractmethod
    def write(self, folder: Path) -> None:
        """Writes what searching needs besides the descriptors into a folder.

        Paths in the files are relative to the folder, and nothing is a pickle.
        """

    @classmethod
    @abc.abstractmethod
    def read(
        cls,
        folder: Path,
        descriptors: Descriptors,
        settings: dict[str, Any],
    ) -> Self:
        """Reads what `write` wrote, whose checksums the caller has compared.

        Args:
            folder: The folder.
            descriptors: Those that the index was built of.
            settings: The `settings` of the index that was written.

        Raises:
            IndexMismatchError: The files do not fit the descriptors.
        """


def check_finite(queries: np.ndarray) -> None:
    """Checks queries `(num_queries, query_dim)`.

    Raises:
        ValueError: A value is not finite.
    """
    bad = np.flatnonzero(~np.isfinite(queries).all(axis=1))
    if len(bad):
        raise ValueError(
            f"`queries` must be finite. Received: NaN or infinity in {len(bad)} "
            f"queries, the first is query {bad[0]}. Check the encoder's weights."
        )


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
