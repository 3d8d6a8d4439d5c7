"""A collection of descriptors in Milvus: embedded in this process, or on a cluster."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import weakref
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from vpr_tf.search.descriptors import MISSING_ID, Descriptors
from vpr_tf.search.errors import RetrievalError

ROW_FIELD = "row"
DESCRIPTOR_FIELD = "descriptor"
TOKEN_VARIABLE = "MILVUS_TOKEN"
_EMBEDDED_NAME = "descriptors"
_DATABASE_FOLDER = "milvus.db"  # pymilvus embeds what ends with .db
_IMMUTABLE_SUFFIXES = (".parquet", ".idx")
_QUIET_BELOW = 20_000
_CONNECT_TIMEOUT_S = 10.0
_NEVER_MS = (1 << 31) - 1


class MilvusCollection:
    """Rows of descriptors under their row numbers, searched by squared L2 distance.

    Args:
        client: A `pymilvus.MilvusClient`, or what has its methods.
        name: Name of the collection.
        embedded: Whether the client is of embedded Milvus.
    """

    def __init__(self, client: Any, name: str, *, embedded: bool) -> None:
        self.client = client
        self.name = name
        self._embedded = embedded

    def exists(self) -> bool:
        """Whether there is such a collection."""
        return bool(self.client.has_collection(self.name))

    def description(self) -> str:
        """Returns what `create` was told; embedded Milvus does not keep it."""
        return str(self.client.describe_collection(self.name).get("description", ""))

    def drop(self) -> None:
        """Removes the collection and its rows."""
        self.client.drop_collection(self.name)

    def create(self, descriptor_dim: int, description: str) -> None:
        """Creates the collection, without rows."""
        from pymilvus import DataType

        schema = self.client.create_schema(
            auto_id=False, enable_dynamic_field=False, description=description
        )
        schema.add_field(ROW_FIELD, DataType.INT64, is_primary=True)
        schema.add_field(DESCRIPTOR_FIELD, DataType.FLOAT_VECTOR, dim=descriptor_dim)
        self.client.create_collection(self.name, schema=schema)

    def insert(self, descriptors: Descriptors, batch: int) -> None:
        """Inserts all descriptors, `batch` rows a request; holds one batch."""
        num_images = len(descriptors)
        with tqdm(
            total=num_images,
            unit=" rows",
            desc="Milvus",
            disable=True if num_images < _QUIET_BELOW else None,
        ) as bar:
            for start in range(0, num_images, batch):
                rows = np.asarray(descriptors[start : start + batch], np.float32)
                self.client.insert(
                    self.name,
                    [
                        {ROW_FIELD: start + offset, DESCRIPTOR_FIELD: row}
                        for offset, row in enumerate(rows)
                    ],
                )
                bar.update(len(rows))
        self.client.flush(self.name)

    def create_index(self, index_type: str, params: dict[str, Any]) -> None:
        """Chooses how the rows are searched; `load` builds it."""
        if self._embedded:
            # Milvus Lite 3.2 reads only this older form, and ignores the other.
            params = {"params": params}
        index_params = self.client.prepare_index_params()
        index_params.add_index(
            DESCRIPTOR_FIELD, index_type=index_type, metric_type="L2", params=params
        )
        self.client.create_index(self.name, index_params)

    def load(self) -> None:
        """Makes the collection ready to be searched."""
        self.client.load_collection(self.name)

    def num_rows(self) -> int:
        """Counts the rows."""
        answer = self.client.query(self.name, filter="", output_fields=["count(*)"])
        return int(answer[0]["count(*)"])

    def rows(self, ids: Iterable[int]) -> dict[int, np.ndarray]:
        """Returns the stored descriptors of some rows, where there are such rows."""
        fields = [ROW_FIELD, DESCRIPTOR_FIELD]
        found = self.client.get(self.name, ids=list(ids), output_fields=fields)
        return {
            int(row[ROW_FIELD]): np.asarray(row[DESCRIPTOR_FIELD], np.float32)
            for row in found
        }

    def search(
        self, queries: np.ndarray, k: int, params: dict[str, Any]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns Milvus' squared distances and rows, `(num_queries, k)`.

        Missing ones are inf and -1.
        """
        answers = self.client.search(
            self.name,
            data=list(queries),
            anns_field=DESCRIPTOR_FIELD,
            limit=k,
            # The primary key alone: with no field named, embedded Milvus sends the
            # descriptors as well.
            output_fields=[ROW_FIELD],
            search_params={"metric_type": "L2", "params": params},
        )
        distances = np.full((len(queries), k), np.inf, np.float64)
        ids = np.full((len(queries), k), MISSING_ID, np.int64)
        for query, hits in enumerate(answers):
            for column, hit in enumerate(hits):
                distances[query, column] = hit["distance"]
                ids[query, column] = hit[ROW_FIELD]
        return distances, ids


class EmbeddedDatabase:
    """Embedded Milvus on a private folder, which is removed at the end.

    Milvus locks and changes the folder that it opens. So that a saved index can be
    read-only, moved, and opened by many, each opening gets a folder of its own whose
    unchanging large files are links to the saved ones: a few kilobytes. A process
    that is killed leaves its folder to the system's cleaning of temporary files.

    Args:
        saved: Folder that `save` wrote; None for an empty database.
    """

    def __init__(self, saved: Path | None = None) -> None:
        self._lock = threading.Lock()
        self._private = Path(tempfile.mkdtemp(prefix="vpr_tf_milvus_"))
        self._path = self._private / _DATABASE_FOLDER
        self._open: list[MilvusCollection] = []
        self._owner_pid = os.getpid()
        self._finalizer = weakref.finalize(
            self, _remove_database, self._private, self._open, self._owner_pid
        )
        if saved is not None:
            _link_database(saved / _DATABASE_FOLDER, self._path)

    @property
    def collection(self) -> MilvusCollection:
        """The only collection; opens the database at the first use."""
        if os.getpid() != self._owner_pid:
            raise RetrievalError(
                "Embedded Milvus does not work in a forked process. Open the index "
                "there, or start the process with `spawn`."
            )
        with self._lock:
            if not self._open:
                client = connect(str(self._path))
                self._open.append(
                    MilvusCollection(client, _EMBEDDED_NAME, embedded=True)
                )
                if self._open[0].exists():
                    self._open[0].load()
            return self._open[0]

    def suspend(self) -> None:
        """Ends background work and writes all to disk; the next use opens again."""
        with self._lock:
            _close(self._path, self._open)

    def save(self, folder: Path) -> None:
        """Copies the database into a folder."""
        self.suspend()
        shutil.copytree(
            self._path,
            folder / _DATABASE_FOLDER,
            ignore=shutil.ignore_patterns("LOCK", "*.prev"),
        )

    def close(self) -> None:
        """Stops Milvus and removes the private folder."""
        self._finalizer()


class ClusterDatabase:
    """One collection of a Milvus cluster; connects at the first use.

    Args:
        uri: Address of the cluster.
        name: Name of the collection.
    """

    def __init__(self, uri: str, name: str) -> None:
        self.uri = uri
        self.name = name
        self._lock = threading.Lock()
        self._collection: MilvusCollection | None = None

    @property
    def collection(self) -> MilvusCollection:
        """The collection, which may not be there yet."""
        with self._lock:
            if self._collection is None:
                self._collection = MilvusCollection(
                    connect(self.uri), self.name, embedded=False
                )
            return self._collection

    def suspend(self) -> None:
        """Does nothing: the cluster writes on its own."""

    def save(self, folder: Path) -> None:
        """Writes nothing: the rows stay on the cluster."""

    def close(self) -> None:
        """Ends the connection."""
        with self._lock:
            if self._collection is not None:
                self._collection.client.close()
                self._collection = None


def connect(uri: str) -> Any:
    """Returns a client of a cluster, or of the embedded database at a path.

    Raises:
        ImportError: Milvus is not installed.
        RetrievalError: Nothing answers there.
    """
    try:
        import pymilvus
    except ImportError as error:
        raise ImportError(
            f"Milvus cannot be imported ({error}). Install `pymilvus==3.0.*` and "
            "`milvus-lite==3.2.*`, or use index=exact or index=scann."
        ) from error
    options: dict[str, Any] = {"token": os.environ.get(TOKEN_VARIABLE, "")}
    if "://" not in uri:
        # Embedded Milvus ends connections that ask each 10 s whether it is still
        # there, as pymilvus does, and both complain.
        options = {"grpc_options": {"grpc.keepalive_time_ms": _NEVER_MS}}
    try:
        return pymilvus.MilvusClient(uri, timeout=_CONNECT_TIMEOUT_S, **options)
    except pymilvus.MilvusException as error:
        raise RetrievalError(
            f"Milvus cannot be opened at {uri}: {error.message} Check the address, "
            f"and the token in the environment variable {TOKEN_VARIABLE}; embedded "
            "Milvus needs `milvus-lite==3.2.*`."
        ) from error


def _link_database(saved: Path, private: Path) -> None:
    for path in sorted(saved.rglob("*")):
        target = private / path.relative_to(saved)
        if path.is_dir():
            target.mkdir(parents=True, exist_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix in _IMMUTABLE_SUFFIXES:
            target.symlink_to(path.resolve())
        else:
            shutil.copyfile(path, target)
    # Written by every opening; an empty folder does not survive every way of copying.
    for folder in (private / "collections").glob("*"):
        (folder / "wal").mkdir(exist_ok=True)


def _close(path: Path, opened: list[MilvusCollection]) -> None:
    if not opened:
        return
    from milvus_lite.server_manager import server_manager_instance

    opened.pop().client.close()
    server_manager_instance.release_server(str(path))


def _remove_database(
    private: Path, opened: list[MilvusCollection], owner_pid: int
) -> None:
    if os.getpid() != owner_pid:  # a forked child: the folder is its parent's
        return
    _close(private / _DATABASE_FOLDER, opened)
    shutil.rmtree(private, ignore_errors=True)
