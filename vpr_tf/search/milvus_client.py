"""Where a Milvus index keeps its collection: on a cluster, or embedded here."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import tempfile
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
_NEVER_MS = (1 << 31) - 1


class MilvusCluster:
    """A cluster, where the rows stay.

    Args:
        uri: Address of the cluster as it was stored; connected is the one that the user
            gave.

    Attributes:
        uri: Address of the cluster.
        client: A `pymilvus.MilvusClient`.

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
        self._opened: list[Any] = []
        self._owner_pid = os.getpid()
        self._finalizer = weakref.finalize(
            self, _remove, self._private, self._opened, self._owner_pid
        )
        if saved is not None:
            _link_database(inside(saved, _DATABASE_FOLDER), self._path)
        self._open()

    @property
    def client(self) -> Any:
        """A `pymilvus.MilvusClient`.

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


def connect(uri: str) -> Any:
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
    options: dict[str, Any] = {"token": os.environ.get(TOKEN_VARIABLE, "")}
    if "://" not in uri:
        # Embedded Milvus ends connections that ask each 10 s whether it is still
        # there, as pymilvus does, and both complain.
        options = {"grpc_options": {"grpc.keepalive_time_ms": _NEVER_MS}}
    try:
        return pymilvus.MilvusClient(uri, timeout=_CONNECT_TIMEOUT_S, **options)
    except pymilvus.MilvusException as error:
        raise RetrievalError(
            f"Milvus cannot be opened at {uri}: {without_token(str(error.message))} "
            "Check the address, and the token in the environment variable "
            f"{TOKEN_VARIABLE}; embedded Milvus needs `milvus-lite==3.2.*`."
        ) from error


@contextlib.contextmanager
def milvus_errors() -> Iterator[None]:
    """Makes Milvus' errors those of an index."""
    try:
        yield
    except Exception as error:
        # Only a program that has imported pymilvus can raise one of its errors.
        if type(error).__module__.startswith("pymilvus"):
            message = without_token(str(getattr(error, "message", error)))
            raise RetrievalError(f"Milvus: {message}") from error
        raise


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


def _close(path: Path, opened: list[Any]) -> None:
    if not opened:
        return
    from milvus_lite.server_manager import server_manager_instance

    opened.pop().close()
    server_manager_instance.release_server(str(path))


def _remove(private: Path, opened: list[Any], owner_pid: int) -> None:
    if os.getpid() != owner_pid:  # a forked child: the folder is its parent's
        return
    _close(private / _DATABASE_FOLDER, opened)
    shutil.rmtree(private, ignore_errors=True)
