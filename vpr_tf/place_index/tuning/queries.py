"""Queries to tune with, and what exact search finds for them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vpr_tf.search import Descriptors, ExactIndex, RetrievalError

_NOT_STORED = -1
# Distances of different kinds of index differ in the last digits.
_RELATIVE_ROUNDING = 1e-5


@dataclass(frozen=True, eq=False)
class TuningQueries:
    """Queries, and which stored photos they are.

    Attributes:
        descriptors: Float32 `(num_queries, descriptor_dim)`.
        own_rows: Row of the database that each query is, int64, and that does not
            count as found; -1 where it is none.
        origin: For people.
    """

    descriptors: np.ndarray
    own_rows: np.ndarray
    origin: str

    @classmethod
    def from_database(
        cls, database: Descriptors, count: int, seed: int
    ) -> TuningQueries:
        """Takes some stored photos; each is searched without itself.

        Raises:
            RetrievalError: There is no other photo to find.
        """
        if len(database) < 2 or count < 1:
            raise RetrievalError(
                "Tuning with stored photos needs at least two of them, and one query. "
                f"Received: {len(database)} photos, {count} queries."
            )
        rng = np.random.default_rng(seed)
        rows = rng.choice(len(database), min(count, len(database)), replace=False)
        rows = np.sort(rows)
        descriptors = np.asarray(database[rows], np.float32)
        return cls(descriptors, rows, f"{len(rows)} stored photos (seed {seed})")

    @classmethod
    def from_file(cls, path: str | Path, descriptor_dim: int) -> TuningQueries:
        """Reads descriptors of other photos from a `.npy` file.

        Raises:
            RetrievalError: No finite matrix of the right width.
        """
        try:
            descriptors = np.load(path, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise RetrievalError(f"{path} cannot be read: {error}") from error
        fits = descriptors.ndim == 2 and descriptors.shape[1] == descriptor_dim
        fits = fits and descriptors.dtype.kind == "f" and len(descriptors) > 0
        if not fits or not np.isfinite(descriptors).all():
            raise RetrievalError(
                f"{path} must hold finite descriptors (num_queries, {descriptor_dim}). "
                f"Received: {descriptors.dtype} of shape {descriptors.shape}. Compute "
                "them with the encoder of the index."
            )
        return cls.from_descriptors(
            descriptors, f"{len(descriptors)} of {Path(path).name}"
        )

    @classmethod
    def from_descriptors(cls, descriptors: np.ndarray, origin: str) -> TuningQueries:
        """Takes descriptors of photos that the index does not hold."""
        return cls(
            np.ascontiguousarray(descriptors, np.float32),
            np.full(len(descriptors), _NOT_STORED),
            origin,
        )

    def __len__(self) -> int:
        return len(self.descriptors)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of queries and rows."""
        digest = hashlib.sha256(np.ascontiguousarray(self.descriptors).data)
        digest.update(np.ascontiguousarray(self.own_rows).data)
        return digest.hexdigest()

    def without_own(self, rows: np.ndarray) -> np.ndarray:
        """Drops each query from its own answer `(num_queries, k + 1)`; k remain."""
        own = rows == self.own_rows[: len(rows), None]
        own &= rows >= 0
        order = np.argsort(own, axis=1, kind="stable")[:, : rows.shape[1] - 1]
        return np.take_along_axis(rows, order, axis=1)


@dataclass(frozen=True, eq=False)
class Truth:
    """What exact search finds.

    Attributes:
        queries: The queries.
        distances: Their squared distances to the nearest rows, float64
            `(num_queries, k)`; the queries' own rows left out.
    """

    queries: TuningQueries
    distances: np.ndarray

    @classmethod
    def of(cls, database: Descriptors, queries: TuningQueries, k: int) -> Truth:
        """Searches exactly; k is at most the number of other rows."""
        k = min(k, len(database) - int((queries.own_rows >= 0).any()))
        rows = ExactIndex.build(database).search(queries.descriptors, k + 1)[1]
        rows = queries.without_own(rows)
        return cls(queries, _distances(database, queries.descriptors, rows))

    def recalls(
        self, database: Descriptors, found: np.ndarray, recall_values: tuple[int, ...]
    ) -> dict[int, float]:
        """Compares an answer with the truth, by distance.

        So rows that are equally near are equally right.

        Args:
            database: The database.
            found: Rows `(num_queries, k)`, the queries' own left out.
            recall_values: At which N.

        Returns:
            By N, the share of the N true nearest rows that are among the first N
            found; N is at most the number of rows there are.
        """
        distances = _distances(database, self.queries.descriptors, found)
        recalls = {}
        for wanted in recall_values:
            n = min(wanted, self.distances.shape[1])
            last = self.distances[:, n - 1 : n]
            bound = last * (1 + _RELATIVE_ROUNDING) + _RELATIVE_ROUNDING**2
            recalls[wanted] = float((distances[:, :n] <= bound).mean())
        return recalls


def _distances(
    database: Descriptors, queries: np.ndarray, rows: np.ndarray
) -> np.ndarray:
    """Squared distances of rows `(num_queries, k)`, float64; inf where missing."""
    distances = np.full(rows.shape, np.inf)
    for query, (row, found) in enumerate(zip(rows, rows >= 0, strict=True)):
        near = np.asarray(database[row[found]], np.float64) - queries[query]
        distances[query, found] = np.einsum("kd,kd->k", near, near)
    return distances
