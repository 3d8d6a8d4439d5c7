"""Where a Milvus index keeps its collection: on a cluster, or embedded here."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import shutil
import tempfile
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vpr_tf.milvus_address import TOKEN_VARIABLE, given_address, without_token
from vpr_tf.search.errors import RetrievalError
from vpr_tf.search.milvus_files import COLLECTION, database_files
from vpr_tf.stored_paths import inside

_LOG = logging.getLogger("vpr_tf")
_DATABASE_FOLDER = "milvus.db"  # pymilvus embeds what ends with .db
_IMMUTABLE_SUFFIXES = (".parquet", ".idx")
_CONNECT_TIMEOUT_S = 10.0
# pymilvus waits for ever unless it is told how long. A search says it by itself.
_CALL_TIMEOUTS_S = {
    "has_collection": 30,
    "describe_collection": 30,
    "describe_index": 30,
    "create_collection": 30,
    "drop_collection": 30,
    "query": 30,
    "get": 30,
    "insert": 120,
    "flush": 600,
    "load_collection": 600,
}
_LEAST_BUILD_S, _BUILT_VALUES_PER_S = 120, 200_000
_NOT_LOADED = 101  # Milvus' code of the error
_NEVER_MS = (1 << 31) - 1


class MilvusCluster:
    """A cluster, where the rows stay.

    Args:
        uri: Address of the cluster as it was stored; connected is the one that the user
            gave.

    Attributes:
        uri: Address of the cluster.
        client: Its client.

    Raises:
        MilvusAddressError: The user gave no address.
    """

    def __init__(self, uri: str) -> None:
        self.uri = given_address(uri)
        if self.uri != uri:
            _LOG.warning(
                "Milvus at %s takes the place of the stored address %s.", self.uri, uri
            )
        self.client = connect(self.uri)

    def restart(self) -> None:
        """Does nothing: the cluster writes on its own."""

    def save(self, folder: Path) -> None:
        """Writes nothing."""

    def close(self) -> None:
        """Ends the connection."""
        self.client.close()


class EmbeddedMilvus:
    """Embedded Milvus on a private folder, which is removed at the end.

    Milvus locks and changes the folder that it opens. So that a saved index can be
    read-only, moved, and opened by many, each opening gets a folder of its own whose
    unchanging large files are links to the saved ones: a few kilobytes. A process
    that is killed leaves its folder to the system's cleaning of temporary files.

    Args:
        saved: Folder that `save` wrote; None for an empty database.
    """

    def __init__(self, saved: Path | None = None) -> None:
        self._private = Path(tempfile.mkdtemp(prefix="vpr_tf_milvus_"))
        self._path = self._private / _DATABASE_FOLDER
        self._opened: list[TimedClient] = []
        self._owner_pid = os.getpid()
        self._finalizer = weakref.finalize(
            self, _remove, self._private, self._opened, self._owner_pid
        )
        if saved is not None:
            _link_database(inside(saved, _DATABASE_FOLDER), self._path)
        self._open()

    @property
    def client(self) -> TimedClient:
        """Its client.

        Raises:
            RetrievalError: The process was forked from the one that opened it.
        """
        if os.getpid() != self._owner_pid:
            raise RetrievalError(
                "Embedded Milvus does not work in a forked process. Open the index "
                "there, or start the process with `spawn`."
            )
        return self._opened[0]

    def restart(self) -> None:
        """Ends background work and writes all to disk."""
        _close(self._path, self._opened)
        self._open()

    def save(self, folder: Path) -> None:
        """Copies the database into a folder."""
        _close(self._path, self._opened)
        ignored = shutil.ignore_patterns("LOCK", "*.prev")
        try:
            shutil.copytree(self._path, folder / _DATABASE_FOLDER, ignore=ignored)
        finally:
            self._open()

    def _open(self) -> None:
        client = connect(str(self._path))
        self._opened.append(client)
        with milvus_errors():
            if client.has_collection(COLLECTION):
                client.load_collection(COLLECTION)

    def close(self) -> None:
        """Stops Milvus and removes the private folder."""
        self._finalizer()


class TimedClient:
    """A `pymilvus.MilvusClient` whose calls end, whatever becomes of the server.

    Args:
        client: The client.
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._client, name)
        seconds = _CALL_TIMEOUTS_S.get(name)
        return call if seconds is None else functools.partial(call, timeout=seconds)

    def build_index(self, collection: str, index_params: Any, num_values: int) -> None:
        """Builds an index, in a time that suits the size of the collection.

        Args:
            collection: Its name.
            index_params: See `create_index`; of one index.
            num_values: Rows times their length.

        Raises:
            RetrievalError: It took longer. So it is of a type that the server does not
                have: Milvus tries it again and again.
        """
        seconds = _LEAST_BUILD_S + num_values // _BUILT_VALUES_PER_S
        started = time.monotonic()
        try:
            self._client.create_index(collection, index_params, timeout=seconds)
        except Exception:
            if time.monotonic() - started < seconds:
                raise
            [wanted] = index_params
            field = wanted.field_name
            built = self.describe_index(collection, field).get("indexed_rows", 0)
            raise RetrievalError(
                f"Milvus had built the index {wanted.index_type} of {built:,} rows "
                f"after {seconds} s. A server that lacks this type tries for ever, and "
                "says why in its log: choose another one, e.g. --setting "
                "index_type=HNSW. A busy one goes on: run the command again."
            ) from None

    def search_loaded(self, collection: str, **search: Any) -> Any:
        """Searches a collection, which a server that was started anew loads first.

        Args:
            collection: Its name.
            **search: See `search`.
        """
        try:
            return self._client.search(collection, **search)
        except Exception as error:
            if getattr(error, "code", None) != _NOT_LOADED:
                raise
        self.load_collection(collection)
        return self._client.search(collection, **search)


def connect(uri: str) -> TimedClient:
    """Returns a client of a cluster, or of the embedded database at a path.

    Raises:
        ImportError: Milvus is not installed.
        RetrievalError: There is no Milvus.
    """
    # pymilvus would take addresses and tokens from a file .env that it finds.
    os.environ.setdefault("PYTHON_DOTENV_DISABLED", "1")
    try:
        import pymilvus
    except ImportError as error:
        raise ImportError(
            f"Milvus cannot be imported ({error}). Install it by `pip install "
            "'vpr_tf[milvus]'`, or use index=exact or index=scann."
        ) from error
    # It writes the errors that it raises into the log as well, with their traces.
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
    options: dict[str, Any] = {"token": os.environ.get(TOKEN_VARIABLE, "")}
    if "://" not in uri:
        # Embedded Milvus ends connections that ask each 10 s whether it is still
        # there, as pymilvus does, and both complain.
        options = {"grpc_options": {"grpc.keepalive_time_ms": _NEVER_MS}}
    try:
        client = pymilvus.MilvusClient(uri, timeout=_CONNECT_TIMEOUT_S, **options)
    except Exception as error:
        if not _is_of_milvus(error):
            raise
        raise RetrievalError(
            f"Milvus cannot be opened at {uri}: {_message(error)} Check the address, "
            f"and the token in the environment variable {TOKEN_VARIABLE}; embedded "
            "Milvus needs `milvus-lite==3.2.*`."
        ) from error
    return TimedClient(client)


@contextlib.contextmanager
def milvus_errors() -> Iterator[None]:
    """Makes Milvus' errors those of an index."""
    try:
        yield
    except Exception as error:
        if not _is_of_milvus(error):
            raise
        raise RetrievalError(f"Milvus: {_message(error)}") from error


def _is_of_milvus(error: Exception) -> bool:
    # Only a program that has imported pymilvus can raise one of its errors. It lets
    # those of the connection through.
    return type(error).__module__.split(".")[0] in ("pymilvus", "grpc")


def _message(error: Exception) -> str:
    """Returns what an error of Milvus says, a sentence without the token."""
    if type(error).__module__.startswith("grpc"):
        text = f"no answer from the server: {error.details()}"  # type: ignore[attr-defined]
    else:
        text = str(getattr(error, "message", error))
    return f"{without_token(text).rstrip('. ')}."


def _link_database(saved: Path, private: Path) -> None:
    for name in database_files(saved):
        source, target = saved / name, private / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.suffix in _IMMUTABLE_SUFFIXES:
            target.symlink_to(source.resolve())
        else:
            shutil.copyfile(source, target)
    # Written by every opening; an empty folder does not survive every way of copying.
    for folder in ("collections", "databases", f"collections/{COLLECTION}/wal"):
        (private / folder).mkdir(parents=True, exist_ok=True)


def _close(path: Path, opened: list[TimedClient]) -> None:
    if not opened:
        return
    from milvus_lite.server_manager import server_manager_instance

    opened.pop().close()
    server_manager_instance.release_server(str(path))


def _remove(private: Path, opened: list[TimedClient], owner_pid: int) -> None:
    if os.getpid() != owner_pid:  # a forked child: the folder is its parent's
        return
    _close(private / _DATABASE_FOLDER, opened)
    shutil.rmtree(private, ignore_errors=True)
