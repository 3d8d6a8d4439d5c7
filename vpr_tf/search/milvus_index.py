"""Nearest neighbours by Milvus, embedded or on a cluster."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from vpr_tf.search.descriptors import (
    MISSING_ID,
    Descriptors,
    check_descriptors,
    finite_blocks,
)
from vpr_tf.search.errors import IndexMismatchError, RetrievalError
from vpr_tf.search.milvus_checks import (
    check_contents,
    checked_answer,
    collection_mismatch,
)
from vpr_tf.search.milvus_collection import (
    ClusterDatabase,
    EmbeddedDatabase,
    MilvusCollection,
)
from vpr_tf.search.milvus_settings import MilvusSettings
from vpr_tf.search.nearest_rows import search_rows
from vpr_tf.search.search_index import SearchIndex

_DESCRIPTION_FILE = "milvus.json"
_MAX_PER_REQUEST = 16_384  # queries, and neighbours a query: Milvus' own limits
_MAX_REQUEST_VALUES = 1 << 22  # float32: 16 MiB of the 64 MiB that a request may have
_MAX_REQUEST_HITS = 1 << 18
# Embedded FLAT holds the differences of every query with every row of a part.
_FLAT_DIFFERENCE_VALUES = 1 << 26
_ROWS_OF_EMBEDDED_PART = 100_000
_VALUES_PER_BLOCK = 1 << 25
_SPARE_NEIGHBORS = 8
_ROUNDING = 1e-5  # relative, of two ways to compute a distance


class MilvusIndex(SearchIndex):
    """A Milvus collection that finds candidates; their distances are computed here.

    The collection holds the descriptors a second time, in float32: no other kind of
    index does. Each distance is computed anew from `descriptors` and compared with
    the one that Milvus gave, so that a collection of other descriptors is an error,
    not a wrong answer.

    Embedded, the index is served on a port of this machine alone, from a private copy
    of links (see `EmbeddedDatabase`). On a cluster, a saved index holds the address,
    the collection's name, its number of rows and the fingerprint of the descriptors;
    collections of former builds stay there until someone drops them.

    Args:
        descriptors: The database.
        settings: How it is stored and searched.
        database: Where the collection is.
        fingerprint: SHA-256 of the descriptors.

    Reference:
        Wang et al., "Milvus: A Purpose-Built Vector Data Management System",
        SIGMOD 2021.
    """

    kind = "milvus"

    def __init__(
        self,
        descriptors: Descriptors,
        settings: MilvusSettings,
        database: EmbeddedDatabase | ClusterDatabase,
        fingerprint: str,
    ) -> None:
        self.descriptors = descriptors
        self._settings = settings
        self._database = database
        self._fingerprint = fingerprint

    @classmethod
    def build(
        cls, descriptors: Descriptors, settings: dict[str, Any] | None = None
    ) -> MilvusIndex:
        """See `SearchIndex.build`; reads the database twice, holds one batch.

        Raises:
            RetrievalError: Milvus cannot be reached or did not take all rows.
        """
        check_descriptors(descriptors)
        told = MilvusSettings.from_dict(settings or {}, len(descriptors))
        fingerprint = _checked_fingerprint(descriptors)
        database: EmbeddedDatabase | ClusterDatabase = EmbeddedDatabase()
        if told.uri is not None:
            name = _collection_name(told, fingerprint)
            database = ClusterDatabase(told.uri, name)
        index = cls(descriptors, told, database, fingerprint)
        try:
            with _milvus_errors():
                index._fill()
        except BaseException:
            database.close()
            raise
        return index

    def _fill(self) -> None:
        collection = self._database.collection
        if collection.exists():
            with contextlib.suppress(IndexMismatchError):
                collection.load()
                check_contents(collection, self.descriptors)
                return
            # The name is of these descriptors and settings: what an interrupted build
            # left.
            collection.drop()
        told = self._settings
        collection.create(self.descriptor_dim, self._fingerprint)
        batch = min(told.batch, max(1, _MAX_REQUEST_VALUES // self.descriptor_dim))
        collection.insert(self.descriptors, batch)
        self._database.suspend()
        collection = self._database.collection
        collection.create_index(told.index_type, told.params)
        collection.load()
        check_contents(collection, self.descriptors)

    @property
    def is_exact(self) -> bool:
        """Whether Milvus compares with every row (FLAT)."""
        return self._settings.index_type == "FLAT"

    @property
    def settings(self) -> dict[str, Any]:
        """See `MilvusSettings`."""
        return self._settings.to_dict()

    def with_search_settings(self, **search_params: Any) -> MilvusIndex:
        """Returns the same collection searched with other parameters, e.g. `ef`."""
        changed = {**self._settings.search_params, **search_params}
        settings = dataclasses.replace(self._settings, search_params=changed)
        return MilvusIndex(
            self.descriptors, settings, self._database, self._fingerprint
        )

    def close(self) -> None:
        """Stops embedded Milvus, or ends the connection."""
        self._database.close()

    def _search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        if not self.is_exact:
            return self._fetch(queries, k)
        distances = np.full((len(queries), k), np.inf, np.float32)
        ids = np.full((len(queries), k), MISSING_ID, np.int64)
        # Which of equally near rows Milvus gives is chance: fetch until one is farther.
        waiting = np.arange(len(queries))
        fetched = k + _SPARE_NEIGHBORS
        while len(waiting):
            fetched = min(fetched, self.num_images)
            far, rows = self._fetch(queries[waiting], fetched)
            distances[waiting], ids[waiting] = far[:, :k], rows[:, :k]
            tied = far[:, -1] <= far[:, k - 1] * (1 + _ROUNDING)
            waiting = waiting[tied & (fetched < self.num_images)]
            fetched *= 8
        return distances, ids

    def _fetch(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Asks Milvus, and checks and orders what it says."""
        if k > _MAX_PER_REQUEST:  # more than Milvus gives
            return search_rows(self.descriptors, queries, k, np.arange(self.num_images))
        distances = np.empty((len(queries), k), np.float32)
        ids = np.empty((len(queries), k), np.int64)
        step = self._queries_per_request(k)
        params = dict(self._settings.search_params)
        if "ef" in params:
            params["ef"] = max(params["ef"], k)
        for start in range(0, len(queries), step):
            block = slice(start, start + step)
            with _milvus_errors():
                told, found = self._database.collection.search(
                    queries[block], k, params
                )
            distances[block], ids[block] = checked_answer(
                self.descriptors,
                queries[block],
                found,
                # What AUTOINDEX chooses may be quantised: its distances are rough.
                None if self._settings.index_type == "AUTOINDEX" else told,
                complete=self.is_exact,
            )
        return distances, ids

    def _queries_per_request(self, k: int) -> int:
        step = min(
            _MAX_PER_REQUEST,
            _MAX_REQUEST_VALUES // self.descriptor_dim,
            _MAX_REQUEST_HITS // k,
            _VALUES_PER_BLOCK // (2 * k * self.descriptor_dim),
        )
        if self.is_exact and self._settings.uri is None:
            rows = min(self.num_images, _ROWS_OF_EMBEDDED_PART)
            step = min(step, _FLAT_DIFFERENCE_VALUES // (rows * self.descriptor_dim))
        return max(1, step)

    def write(self, folder: Path) -> None:
        """See `SearchIndex.write`; embedded, the whole collection is copied."""
        self._database.save(folder)
        text = json.dumps(self._description(), indent=2) + "\n"
        (folder / _DESCRIPTION_FILE).write_text(text)

    def _description(self) -> dict[str, Any]:
        told = self._settings
        return {
            "uri": told.uri,
            "collection": _collection_name(told, self._fingerprint),
            "num_rows": self.num_images,
            "descriptor_dim": self.descriptor_dim,
            "fingerprint": self._fingerprint,
            "index_type": told.index_type,
            "params": told.params,
        }

    @classmethod
    def read(
        cls, folder: Path, descriptors: Descriptors, settings: dict[str, Any]
    ) -> MilvusIndex:
        """See `SearchIndex.read`.

        Raises:
            IndexMismatchError: The collection is not of these descriptors.
            RetrievalError: The cluster cannot be reached.
        """
        told = MilvusSettings.from_dict(settings, len(descriptors))
        path = folder / _DESCRIPTION_FILE
        try:
            written = json.loads(path.read_text())
            fingerprint = str(written["fingerprint"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise IndexMismatchError(
                f"{path} cannot be read ({error}). Build the index again."
            ) from error
        database: EmbeddedDatabase | ClusterDatabase
        if told.uri is None:
            database = EmbeddedDatabase(folder)
        else:
            database = ClusterDatabase(told.uri, _collection_name(told, fingerprint))
        index = cls(descriptors, told, database, fingerprint)
        try:
            for name, value in index._description().items():
                if written.get(name) != value:
                    raise IndexMismatchError(
                        f"{path} is of another index: {name} must be {value!r}. "
                        f"Received: {written.get(name)!r}. Build the index again."
                    )
            with _milvus_errors():
                index._open()
        except BaseException:
            database.close()
            path.stat()  # FileNotFoundError where the folder went away meanwhile
            raise
        return index

    def _open(self) -> None:
        collection: MilvusCollection = self._database.collection
        if not collection.exists():
            raise IndexMismatchError(
                f"Milvus ({self._settings.uri or 'embedded'}) has no collection "
                f"{collection.name}. Build the index again."
            )
        description = collection.description()
        if description not in ("", self._fingerprint):
            raise collection_mismatch(f"is of the descriptors {description!r}")
        collection.load()
        check_contents(collection, self.descriptors)


def _checked_fingerprint(descriptors: Descriptors) -> str:
    digest = hashlib.sha256(str(descriptors.shape).encode())
    for _, rows, _ in finite_blocks(descriptors):
        digest.update(rows.data)
    return digest.hexdigest()


def _collection_name(settings: MilvusSettings, fingerprint: str) -> str:
    build = [fingerprint, settings.index_type, settings.params]
    text = json.dumps(build, sort_keys=True)
    return f"{settings.collection}_{hashlib.sha256(text.encode()).hexdigest()[:16]}"


@contextlib.contextmanager
def _milvus_errors() -> Iterator[None]:
    """Makes Milvus' errors those of an index."""
    try:
        yield
    except (ImportError, RetrievalError):
        raise
    except Exception as error:
        # Only a program that has imported pymilvus can raise one of its errors.
        import pymilvus

        if isinstance(error, pymilvus.MilvusException):
            raise RetrievalError(f"Milvus: {error.message}") from error
        raise
