"""The interface of an index: build, search, write, read; and the one that is exact."""

from __future__ import annotations

import abc
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from vpr_tf.search.descriptors import (
    Descriptors,
    as_float32,
    check_descriptors,
    check_k,
    checked_queries,
    finite_blocks,
    no_neighbours,
)
from vpr_tf.search.errors import IndexMismatchError
from vpr_tf.search.nearest_rows import NearestRows, search_rows
from vpr_tf.stored_files import read_npy

_NORMS_FILE = "squared_norms.npy"


class SearchIndex(abc.ABC):
    """Finds the nearest database descriptors of a query.

    Distances are squared Euclidean; for descriptors of unit length the order is that
    of the dot product (distance = 2 - 2 * similarity).

    Attributes:
        kind: Name of the index in the config and in saved folders.
        descriptors: The database, a reference and never a changed copy. A saved index
            does not hold it a second time.
    """

    kind: ClassVar[str]
    descriptors: Descriptors

    @classmethod
    @abc.abstractmethod
    def build(
        cls, descriptors: Descriptors, settings: dict[str, Any] | None = None
    ) -> Self:
        """Makes an index of finite descriptors `(num_images, descriptor_dim)`.

        Args:
            descriptors: May be memory-mapped and larger than the memory where the
                index says so.
            settings: Those of the kind of index; None for what suits the size.
                Unknown names are an error.

        Raises:
            ValueError: Not a non-empty float matrix, not all finite, or a setting
                cannot be.
        """

    @property
    def num_images(self) -> int:
        """Rows of the database."""
        return self.descriptors.shape[0]

    @property
    def descriptor_dim(self) -> int:
        """Length of a descriptor."""
        return self.descriptors.shape[1]

    @property
    @abc.abstractmethod
    def is_exact(self) -> bool:
        """Whether every true neighbour is found."""

    @property
    @abc.abstractmethod
    def settings(self) -> dict[str, Any]:
        """All settings, given or chosen, JSON-ready."""

    def search(
        self, queries: np.ndarray, k: int, *, rows: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns the k nearest database images of each query, nearest first.

        Args:
            queries: Descriptors `(num_queries, descriptor_dim)`; `(descriptor_dim,)`
                is one query.
            k: Neighbours a query; may exceed the database size.
            rows: Database rows to search, int64, ascending, without repetition; None
                for all. A part of the database is always searched exactly.

        Returns:
            Squared distances, float32, and database rows, int64, both of shape
            `(num_queries, k)`. Missing neighbours have distance inf and row
            `MISSING_ID`.

        Raises:
            ValueError: `k` is below 1, a query is not finite, or the descriptors have
                another length.
        """
        queries = checked_queries(queries, self.descriptor_dim)
        check_k(k, self.num_images)
        distances, ids = no_neighbours(len(queries), k)
        found = min(k, self.num_images if rows is None else len(rows))
        if len(queries) and found:
            distances[:, :found], ids[:, :found] = (
                self._search(queries, found)
                if rows is None
                else search_rows(self.descriptors, queries, found, rows)
            )
        return distances, ids

    @abc.abstractmethod
    def _search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Searches checked queries; `k` is at most the database size."""

    @abc.abstractmethod
    def write(self, folder: Path) -> None:
        """Writes what searching needs besides the descriptors into a folder.

        Paths in the files are relative to the folder, and nothing is a pickle.
        """

    @classmethod
    @abc.abstractmethod
    def read(
        cls, folder: Path, descriptors: Descriptors, settings: dict[str, Any]
    ) -> Self:
        """Reads what `write` wrote, whose checksums the caller has compared.

        Args:
            folder: The folder.
            descriptors: Those that the index was built of.
            settings: The `settings` of the index that was written.

        Raises:
            IndexMismatchError: The files do not fit the descriptors.
        """


class ExactIndex(SearchIndex):
    """Compares every query with every database descriptor, block by block.

    A matrix product finds the candidates; their distances are then computed from
    differences in float64. So identical descriptors have identical distances, and
    equal distances are ordered by the lowest row. The database is never held in
    memory as a whole.

    Args:
        descriptors: The database, e.g. memory-mapped.
        squared_norms: Float32, one a row.
    """

    kind = "exact"

    def __init__(self, descriptors: Descriptors, squared_norms: np.ndarray) -> None:
        self.descriptors = descriptors
        self._squared_norms = squared_norms

    @classmethod
    def build(
        cls, descriptors: Descriptors, settings: dict[str, Any] | None = None
    ) -> ExactIndex:
        """See `SearchIndex.build`; reads the database once, keeps a reference to it."""
        check_descriptors(descriptors)
        if settings:
            raise ValueError(
                f"An exact index has no settings. Received: {', '.join(settings)}"
            )
        norms = np.empty(len(descriptors), np.float32)
        for start, _, squared_norms in finite_blocks(descriptors):
            norms[start : start + len(squared_norms)] = squared_norms
        return cls(descriptors, norms)

    @property
    def is_exact(self) -> bool:
        """Always true."""
        return True

    @property
    def settings(self) -> dict[str, Any]:
        """None."""
        return {}

    def _search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        best = NearestRows(queries, k)
        step = best.rows_per_block
        for start in range(0, self.num_images, step):
            rows = as_float32(self.descriptors[start : start + step])
            best.update(start, rows, self._squared_norms[start : start + step])
        return best.distances.astype(np.float32), best.ids

    def write(self, folder: Path) -> None:
        """Keeps the norms, so that opening need not read the database."""
        np.save(folder / _NORMS_FILE, self._squared_norms, allow_pickle=False)

    @classmethod
    def read(
        cls, folder: Path, descriptors: Descriptors, settings: dict[str, Any]
    ) -> ExactIndex:
        """See `SearchIndex.read`."""
        try:
            norms = read_npy(folder / _NORMS_FILE, mapped=False)
        except (OSError, ValueError) as error:
            raise IndexMismatchError(
                f"{folder / _NORMS_FILE} cannot be read: {error}. Build it again."
            ) from error
        if norms.shape != (len(descriptors),) or norms.dtype != np.float32:
            raise IndexMismatchError(
                f"{folder / _NORMS_FILE} must hold {len(descriptors)} float32 values. "
                f"Received: {norms.dtype} of shape {norms.shape}. Build it again."
            )
        if not (norms >= 0).all() or not np.isfinite(norms).all():
            raise IndexMismatchError(
                f"{folder / _NORMS_FILE} must hold squared lengths, finite and 0 or "
                "more. Build it again."
            )
        return cls(descriptors, norms)
