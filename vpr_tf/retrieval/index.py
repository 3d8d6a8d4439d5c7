"""The interface of an index: build, search, save, load."""

from __future__ import annotations

import abc
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

MISSING_ID = -1
_DESCRIPTION_FILE = "index.json"
_FORMAT_VERSION = 1


class IndexMismatchError(ValueError):
    """A saved index that was made by another encoder, or is damaged."""


class Index(abc.ABC):
    """Finds the nearest database descriptors of a query.

    Distances are squared Euclidean; for descriptors of unit length the order is that
    of the dot product (distance = 2 - 2 * similarity).

    Attributes:
        kind: Name of the index in the config and in the saved folder.
        num_images: Rows of the database.
        descriptor_dim: Length of a descriptor.
    """

    kind: str
    num_images: int
    descriptor_dim: int

    @classmethod
    @abc.abstractmethod
    def build(cls, descriptors: np.ndarray) -> Index:
        """Makes an index of float32 descriptors `(num_images, descriptor_dim)`.

        The array may be memory-mapped and larger than the memory where the index
        says so.

        Raises:
            ValueError: Not a non-empty float32 matrix, or not all finite.
        """

    @property
    @abc.abstractmethod
    def is_exact(self) -> bool:
        """Whether every true neighbour is found."""

    def search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns the k nearest database images of each query, nearest first.

        Args:
            queries: Descriptors `(num_queries, descriptor_dim)`.
            k: Neighbours a query; may exceed the database size.

        Returns:
            Squared distances, float32, and database rows, int64, both of shape
            `(num_queries, k)`. Missing neighbours have distance inf and row -1.

        Raises:
            ValueError: `k` is below 1, or the descriptors have another length.
        """
        queries = np.asarray(queries, np.float32)
        if queries.ndim != 2 or queries.shape[1] != self.descriptor_dim:
            raise ValueError(
                "`queries` must have the shape (num_queries, descriptor_dim="
                f"{self.descriptor_dim}). Received: shape {queries.shape}. Compute "
                "queries and database with the same encoder."
            )
        if k < 1:
            raise ValueError(f"`k` must be 1 or more. Received: k={k}")
        distances = np.full((len(queries), k), np.inf, np.float32)
        ids = np.full((len(queries), k), MISSING_ID, np.int64)
        if len(queries):
            found = min(k, self.num_images)
            distances[:, :found], ids[:, :found] = self._search(queries, found)
        return distances, ids

    @abc.abstractmethod
    def _search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Searches checked queries; `k` is at most the database size."""

    def save(self, folder: str | Path, encoder_fingerprint: str) -> Path:
        """Writes one folder, which can be moved; replaces a former one.

        Args:
            folder: Folder to write; appears under its name when complete.
            encoder_fingerprint: Identity of the encoder that made the descriptors.
        """
        folder = Path(folder)
        unfinished = folder.with_name(folder.name + ".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        self._write(unfinished)
        description = {
            "format_version": _FORMAT_VERSION,
            "kind": self.kind,
            "num_images": self.num_images,
            "descriptor_dim": self.descriptor_dim,
            "metric": "squared_l2",
            "encoder_fingerprint": encoder_fingerprint,
        }
        text = json.dumps(description, indent=2) + "\n"
        (unfinished / _DESCRIPTION_FILE).write_text(text)
        shutil.rmtree(folder, ignore_errors=True)
        unfinished.rename(folder)
        return folder

    @abc.abstractmethod
    def _write(self, folder: Path) -> None:
        """Writes the files of the index into an existing folder."""

    @classmethod
    def load(cls, folder: str | Path, encoder_fingerprint: str) -> Index:
        """Reads a saved index of this class.

        Args:
            folder: Folder written by `save`.
            encoder_fingerprint: Identity of the encoder that will make the queries.

        Raises:
            IndexMismatchError: The folder is damaged, or holds another kind of
                index, or another encoder made it.
        """
        description = read_description(folder)
        if description["kind"] != cls.kind:
            raise IndexMismatchError(
                f"{folder} holds an index of kind {description['kind']!r}, not "
                f"{cls.kind!r}. Use `load_index`, which reads every kind."
            )
        if description["encoder_fingerprint"] != encoder_fingerprint:
            raise IndexMismatchError(
                f"The index {folder} was made by the encoder "
                f"{description['encoder_fingerprint']!r}; its distances to "
                f"descriptors of {encoder_fingerprint!r} mean nothing. Build the "
                "index again with this encoder."
            )
        return cls._read(Path(folder), description)

    @classmethod
    @abc.abstractmethod
    def _read(cls, folder: Path, description: dict[str, Any]) -> Index:
        """Reads the files of the index."""


def read_description(folder: str | Path) -> dict[str, Any]:
    """Returns kind, size and encoder of a saved index.

    Raises:
        IndexMismatchError: The folder holds no index of this format.
    """
    path = Path(folder) / _DESCRIPTION_FILE
    try:
        description = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise IndexMismatchError(f"No index at {folder}: {error}") from error
    if description.get("format_version") != _FORMAT_VERSION:
        raise IndexMismatchError(
            f"{path} has format_version {description.get('format_version')!r}; this "
            f"program reads {_FORMAT_VERSION}. Build the index again."
        )
    return description


def check_descriptors(descriptors: np.ndarray) -> None:
    """Checks that there is something to search.

    Raises:
        ValueError: Not a non-empty float32 matrix.
    """
    if descriptors.ndim != 2 or descriptors.dtype != np.float32 or not descriptors.size:
        raise ValueError(
            "`descriptors` must be a float32 array of shape (num_images, "
            "descriptor_dim) with at least one row. "
            f"Received: {descriptors.dtype} of shape {descriptors.shape}"
        )
