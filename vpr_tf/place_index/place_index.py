"""A movable folder that answers which photos look like a query."""

from __future__ import annotations

import os
import threading
import weakref
from pathlib import Path
from types import TracebackType

import numpy as np

from vpr_tf.geo import GeoCircle
from vpr_tf.photos.photo_table import PhotoTable
from vpr_tf.place_index.index_state import IndexState, Matches
from vpr_tf.place_index.manifest import (
    MANIFEST_FILE,
    IndexManifest,
    no_manifest,
    parse_manifest,
)
from vpr_tf.place_index.stored_files import unreadable
from vpr_tf.search import CellFilter, IndexMismatchError, RetrievalError


class PlaceIndex:
    """An open index folder; needs no lock and no permission to write.

    Each search answers for one state of the index, the newest: what another process
    adds or removes is seen by the next search. Safe for several threads.
    Use `PlaceIndex.open`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._state: IndexState | None = None
        self._file: _OpenFile | None = None
        self._is_closed = False

    @classmethod
    def open(
        cls, folder: str | Path, *, encoder_fingerprint: str | None = None
    ) -> PlaceIndex:
        """Opens a folder after comparing its checksums.

        Args:
            folder: Written by `create_place_index`.
            encoder_fingerprint: Of the encoder of the queries; None to not compare.

        Raises:
            IndexMismatchError: The folder is no index, is damaged, or its descriptors
                are of another encoder.
        """
        index = cls(Path(folder))
        encoder = index.manifest.encoder
        if encoder_fingerprint not in (None, encoder.fingerprint):
            raise IndexMismatchError(
                f"{folder} holds descriptors of another encoder: "
                f"{encoder.fingerprint} ({encoder.description}). Received: "
                f"{encoder_fingerprint}. Use that encoder, or build the index again."
            )
        return index

    def __enter__(self) -> PlaceIndex:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the files; what was found can still be used."""
        with self._lock:
            self._is_closed = True
            self._state = self._file = None

    @property
    def manifest(self) -> IndexManifest:
        """Of the newest state."""
        return self.state().manifest

    @property
    def num_photos(self) -> int:
        """Photos that can be found."""
        return self.manifest.num_photos

    @property
    def is_exact(self) -> bool:
        """Whether every true neighbour is found."""
        return self.state().is_exact

    @property
    def photos(self) -> PhotoTable:
        """The photos that can be found; a copy if some were removed."""
        state = self.state()
        return (
            state.photos.take(state.alive_rows) if len(state.removed) else state.photos
        )

    @property
    def encoder_path(self) -> Path | None:
        """The encoder kept in the folder, its files compared; None if there is none.

        Raises:
            IndexMismatchError: A file is missing or damaged.
        """
        manifest = self.manifest
        if manifest.encoder.file is None:
            return None
        for name, file in manifest.encoder_files.items():
            try:
                file.check(self.folder / name)
            except OSError as error:
                raise unreadable(error, self.folder) from error
        return self.folder / manifest.encoder.file

    def search(
        self,
        queries: np.ndarray,
        k: int,
        *,
        within: GeoCircle | None = None,
        cells: CellFilter | None = None,
    ) -> Matches:
        """Finds the k nearest photos of each query, nearest first.

        Args:
            queries: Descriptors `(num_queries, descriptor_dim)`.
            k: Photos a query; may exceed the number of photos.
            within: Search only inside this circle, exactly.
            cells: Search only the best cells, exactly; of those that have photos, in
                the circle if there is one. All cells are searched as without.

        Raises:
            ValueError: `k` is below 1, or the queries are not finite or have another
                length.
            IndexMismatchError: The folder was damaged since it was opened.
        """
        return self.state().search(queries, k, within=within, cells=cells)

    def state(self) -> IndexState:
        """Returns the newest state, for several questions about the same one."""
        with self._lock:
            if self._is_closed:
                raise RetrievalError(
                    f"The index {self.folder} was closed. Open it again."
                )
            if not (self._state and self._file and self._file.is_current()):
                self._state = self._newest_state()
            return self._state

    def _newest_state(self) -> IndexState:
        while True:
            file = _OpenFile.of(self.folder / MANIFEST_FILE)
            try:
                manifest = parse_manifest(file.text, file.path)
                state = IndexState.open(self.folder, manifest, self._state)
            except (OSError, IndexMismatchError) as error:
                if not file.is_current():
                    continue  # a change deleted what this state was made of
                if isinstance(error, OSError):
                    raise unreadable(error, self.folder) from error
                raise
            self._file = file
            return state


class _OpenFile:
    """A file that was read and stays open, so that no other gets its inode number."""

    def __init__(self, path: Path, number: int) -> None:
        self.path = path
        weakref.finalize(self, os.close, number)
        self._stamp = _stamp(os.fstat(number))
        with open(number, "rb", closefd=False) as file:
            self.text = file.read()

    @classmethod
    def of(cls, path: Path) -> _OpenFile:
        """Opens a manifest."""
        try:
            return cls(path, os.open(path, os.O_RDONLY | os.O_CLOEXEC))
        except OSError as error:
            raise no_manifest(path.parent, error) from error

    def is_current(self) -> bool:
        """Whether the path still names this very file, unchanged."""
        try:
            return _stamp(self.path.stat()) == self._stamp
        except OSError:
            return False


def _stamp(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
