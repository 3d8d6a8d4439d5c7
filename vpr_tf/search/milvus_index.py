"""Nearest neighbours by Milvus, embedded or on a cluster."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from vpr_tf.search.descriptors import (
    MISSING_ID,
    Descriptors,
    check_descriptors,
    finite_blocks,
    no_neighbours,
)
from vpr_tf.search.distances import nearest_of
from vpr_tf.search.errors import IndexMismatchError
from vpr_tf.search.index_settings import MilvusSettings
from vpr_tf.search.milvus_client import (
    EmbeddedMilvus,
    MilvusCluster,
    milvus_errors,
)
from vpr_tf.search.milvus_files import COLLECTION, DESCRIPTOR_FIELD, ROW_FIELD
from vpr_tf.search.nearest_rows import search_rows
from vpr_tf.search.search_index import SearchIndex
from vpr_tf.stored_values import read_json
from vpr_tf.terminal_bar import TerminalBar

_DESCRIPTION_FILE = "milvus.json"
_MAX_PER_REQUEST = 16_384  # queries, and neighbours a query: Milvus' own limits
_MAX_REQUEST_VALUES = 1 << 22  # float32: 16 MiB of the 64 MiB that a request may have
_MAX_REQUEST_HITS = 1 << 18
# Embedded FLAT holds the differences of every query with every row of a part.
_FLAT_DIFFERENCE_VALUES = 1 << 26
_ROWS_OF_EMBEDDED_PART = 100_000
_SPARE_NEIGHBORS = 8
_ROUNDING = 1e-5  # relative, of two ways to compute a distance
_SAMPLED_ROWS = 32
_QUIET_BELOW = 20_000
_AT_LEAST_K = {"ef", "search_list"}
_LEAST_SEARCH_S, _SEARCHED_QUERIES_PER_S = 30, 10  # else the server hangs


class MilvusIndex(SearchIndex):
    """A Milvus collection that finds candidates; their distances are computed here.

    The collection holds the descriptors a second time, in float32: no other kind of
    index does. That it is of these descriptors is checked when it is built or opened:
    by its fingerprint, its number of rows and a sample of them.

    Embedded, the index is served on a port of this machine alone, from a private copy
    of links (see `EmbeddedMilvus`). On a cluster, a saved index holds the address,
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
        database: EmbeddedMilvus | MilvusCluster,
        fingerprint: str,
    ) -> None:
        self.descriptors = descriptors
        self._settings = settings
        self._database = database
        self._fingerprint = fingerprint
        self._name = COLLECTION
        if settings.uri is not None:
            self._name = _cluster_name(settings, fingerprint)

    @classmethod
    def build(
        cls, descriptors: Descriptors, settings: dict[str, Any] | None = None
    ) -> MilvusIndex:
        """See `SearchIndex.build`; reads the database twice, holds one batch.

        Raises:
            RetrievalError: Milvus cannot be reached or did not take all rows.
        """
        check_descriptors(descriptors)
        chosen = MilvusSettings.from_dict(settings or {}, *descriptors.shape)
        fingerprint = _checked_fingerprint(descriptors)
        database, chosen = _database_of(chosen)
        index = cls(descriptors, chosen, database, fingerprint)
        try:
            with milvus_errors():
                index._fill()
        except BaseException:
            database.close()
            raise
        return index

    def _fill(self) -> None:
        client = self._database.client
        if client.has_collection(self._name):
            with contextlib.suppress(IndexMismatchError):
                client.load_collection(self._name)
                self._check_contents()
                return
            # The name is of these descriptors and settings: what an interrupted build
            # left.
            client.drop_collection(self._name)
        self._insert()
        self._database.restart()
        client = self._database.client
        params: dict[str, Any] = dict(self._settings.params)
        if self._settings.uri is None:
            # Milvus Lite 3.2 reads only this older form, and ignores the other.
            params = {"params": params}
        index_params = client.prepare_index_params()
        index_params.add_index(
            DESCRIPTOR_FIELD,
            index_type=self._settings.index_type,
            metric_type=self._settings.metric,
            params=params,
        )
        num_values = self.num_images * self.descriptor_dim
        client.build_index(self._name, index_params, num_values)
        client.load_collection(self._name)
        self._check_contents()

    def _insert(self) -> None:
        """Creates the collection and inserts all descriptors; holds one batch."""
        from pymilvus import DataType

        client, dim = self._database.client, self.descriptor_dim
        schema = client.create_schema(
            auto_id=False, enable_dynamic_field=False, description=self._fingerprint
        )
        schema.add_field(ROW_FIELD, DataType.INT64, is_primary=True)
        schema.add_field(DESCRIPTOR_FIELD, DataType.FLOAT_VECTOR, dim=dim)
        client.create_collection(self._name, schema=schema)
        batch = min(self._settings.batch, max(1, _MAX_REQUEST_VALUES // dim))
        quiet = True if self.num_images < _QUIET_BELOW else None
        starts = range(0, self.num_images, batch)
        for start in TerminalBar(starts, unit=" batches", desc="Milvus", disable=quiet):
            rows = np.asarray(self.descriptors[start : start + batch], np.float32)
            client.insert(
                self._name,
                [
                    {ROW_FIELD: row, DESCRIPTOR_FIELD: x}
                    for row, x in enumerate(rows, start)
                ],
            )
        client.flush(self._name)

    def _check_contents(self) -> None:
        """Compares the number of rows and a sample of them with the descriptors."""
        client = self._database.client
        [count] = client.query(self._name, filter="", output_fields=["count(*)"])
        if count["count(*)"] != self.num_images:
            raise _mismatch(f"has {count['count(*)']} rows, not {self.num_images}")
        sample = np.linspace(0, self.num_images - 1, _SAMPLED_ROWS).astype(np.int64)
        sample = np.unique(sample)
        fields = [ROW_FIELD, DESCRIPTOR_FIELD]
        found = client.get(self._name, ids=sample.tolist(), output_fields=fields)
        stored = {
            row[ROW_FIELD]: np.asarray(row[DESCRIPTOR_FIELD], np.float32)
            for row in found
        }
        expected = np.asarray(self.descriptors[sample], np.float32)
        for row, values in zip(sample.tolist(), expected, strict=True):
            if row not in stored or not np.array_equal(stored[row], values):
                raise _mismatch(f"holds another row {row}")

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
        distances, ids = no_neighbours(len(queries), k)
        # Which of equally near rows Milvus gives is chance: fetch until one is farther.
        waiting = np.arange(len(queries))
        fetched = k + _SPARE_NEIGHBORS
        while len(waiting):
            fetched = min(fetched, self.num_images)
            found, rows = self._fetch(queries[waiting], fetched)
            distances[waiting], ids[waiting] = found[:, :k], rows[:, :k]
            tied = found[:, -1] <= found[:, k - 1] * (1 + _ROUNDING)
            waiting = waiting[tied & (fetched < self.num_images)]
            fetched *= 8
        return distances, ids

    def _fetch(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Asks Milvus, and orders what it gives by the true distances."""
        if k > _MAX_PER_REQUEST:  # more than Milvus gives
            return search_rows(self.descriptors, queries, k, np.arange(self.num_images))
        step = self._queries_per_request(k)
        ids = [
            self._request(queries[start : start + step], k)
            for start in range(0, len(queries), step)
        ]
        return nearest_of(self.descriptors, queries, np.concatenate(ids), k)

    def _queries_per_request(self, k: int) -> int:
        step = min(
            _MAX_PER_REQUEST,
            _MAX_REQUEST_VALUES // self.descriptor_dim,
            _MAX_REQUEST_HITS // k,
        )
        if self.is_exact and self._settings.uri is None:
            rows = min(self.num_images, _ROWS_OF_EMBEDDED_PART)
            step = min(step, _FLAT_DIFFERENCE_VALUES // (rows * self.descriptor_dim))
        return max(1, step)

    def _request(self, queries: np.ndarray, k: int) -> np.ndarray:
        """Returns the rows that Milvus finds, `(num_queries, k)`."""
        params = dict(self._settings.search_params)
        for name in _AT_LEAST_K & set(params):
            params[name] = max(params[name], k)
        with milvus_errors():
            found = self._database.client.search_loaded(
                self._name,
                data=list(queries),
                anns_field=DESCRIPTOR_FIELD,
                limit=k,
                # The primary key alone: with no field named, embedded Milvus sends the
                # descriptors as well.
                output_fields=[ROW_FIELD],
                search_params={"metric_type": self._settings.metric, "params": params},
                timeout=_LEAST_SEARCH_S + len(queries) // _SEARCHED_QUERIES_PER_S,
            )
        ids = np.full((len(queries), k), MISSING_ID, np.int64)
        for own, hits in zip(ids, found, strict=True):
            own[: len(hits)] = [hit[ROW_FIELD] for hit in hits]
            if own[: len(hits)].min(initial=0) < 0 or own.max() >= self.num_images:
                raise _mismatch(f"gave the rows {own.tolist()}")
            if self.is_exact and len(hits) < k:
                raise _mismatch(f"gave {len(hits)} rows where {k} were due")
        return ids

    def write(self, folder: Path) -> None:
        """See `SearchIndex.write`; embedded, the whole collection is copied."""
        self._database.save(folder)
        content = _description(self._settings, self.descriptors, self._fingerprint)
        text = json.dumps(content, indent=2) + "\n"
        (folder / _DESCRIPTION_FILE).write_text(text)

    @classmethod
    def read(
        cls, folder: Path, descriptors: Descriptors, settings: dict[str, Any]
    ) -> MilvusIndex:
        """See `SearchIndex.read`.

        Raises:
            IndexMismatchError: The collection is not of these descriptors.
            RetrievalError: The cluster cannot be reached.
        """
        chosen = MilvusSettings.from_dict(settings, *descriptors.shape)
        path = folder / _DESCRIPTION_FILE
        try:
            written = read_json(path)
            fingerprint = str(written["fingerprint"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise IndexMismatchError(
                f"{path} cannot be read ({error}). Build the index again."
            ) from error
        for name, value in _description(chosen, descriptors, fingerprint).items():
            if written.get(name) != value:
                raise IndexMismatchError(
                    f"{path} is of another index: {name} must be {value!r}. "
                    f"Received: {written.get(name)!r}. Build the index again."
                )
        database, chosen = _database_of(chosen, folder)
        index = cls(descriptors, chosen, database, fingerprint)
        try:
            with milvus_errors():
                index._open()
        except BaseException:
            database.close()
            path.stat()  # FileNotFoundError where the folder went away meanwhile
            raise
        return index

    def _open(self) -> None:
        client = self._database.client
        if not client.has_collection(self._name):
            raise IndexMismatchError(
                f"Milvus ({self._settings.uri or 'embedded'}) has no collection "
                f"{self._name}. Build the index again."
            )
        # Embedded Milvus does not keep the description.
        known = client.describe_collection(self._name).get("description", "")
        if known not in ("", self._fingerprint):
            raise _mismatch(f"is of the descriptors {known!r}")
        client.load_collection(self._name)
        self._check_contents()


def _database_of(
    settings: MilvusSettings, folder: Path | None = None
) -> tuple[EmbeddedMilvus | MilvusCluster, MilvusSettings]:
    """Opens where the collection is; returns the settings with the address used."""
    if settings.uri is None:
        return EmbeddedMilvus(folder), settings
    cluster = MilvusCluster(settings.uri)
    return cluster, dataclasses.replace(settings, uri=cluster.uri)


def _description(
    settings: MilvusSettings, descriptors: Descriptors, fingerprint: str
) -> dict[str, Any]:
    return {
        "uri": settings.uri,
        "collection": _cluster_name(settings, fingerprint),
        "num_rows": descriptors.shape[0],
        "descriptor_dim": descriptors.shape[1],
        "fingerprint": fingerprint,
        "index_type": settings.index_type,
        "params": settings.params,
    }


def _cluster_name(settings: MilvusSettings, fingerprint: str) -> str:
    built = [fingerprint, settings.index_type, settings.params]
    text = json.dumps(built, sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return f"{settings.collection}_{digest[:16]}"


def _checked_fingerprint(descriptors: Descriptors) -> str:
    digest = hashlib.sha256(str(descriptors.shape).encode())
    for _, rows, _ in finite_blocks(descriptors):
        digest.update(rows.data)
    return digest.hexdigest()


def _mismatch(reason: str) -> IndexMismatchError:
    return IndexMismatchError(
        f"The Milvus collection is not of these descriptors: it {reason}. Build the "
        "index again."
    )
