"""One state of an index, opened: it answers as long as it is referred to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vpr_tf.photo_table import PhotoTable
from vpr_tf.retrieval.errors import RetrievalError
from vpr_tf.retrieval.index import MISSING_ID, Descriptors, Index
from vpr_tf.retrieval.place_index.joined import JoinedDescriptors, join_photos
from vpr_tf.retrieval.place_index.manifest import IndexManifest
from vpr_tf.retrieval.place_index.photo_columns import empty_photos
from vpr_tf.retrieval.place_index.segment import OpenSegment
from vpr_tf.retrieval.place_index.stored_files import unreadable
from vpr_tf.retrieval.place_index.within import Within

_SPARE_NEIGHBOURS = 8


@dataclass(frozen=True, eq=False)
class Matches:
    """What a search found, with the state that it was found in.

    Attributes:
        distances: Squared distances, float32, `(num_queries, k)`; inf where missing.
        rows: Rows of `photos` and `descriptors`, int64; -1 where missing.
        photos: All photos of that state, removed ones too.
        descriptors: Their descriptors.
    """

    distances: np.ndarray
    rows: np.ndarray
    photos: PhotoTable
    descriptors: Descriptors


class IndexState:
    """Segments that are searched as one.

    Args:
        manifest: The state.
        segments: Those that it names.
        removed: Rows that are no longer found, ascending.
    """

    def __init__(
        self,
        manifest: IndexManifest,
        segments: tuple[OpenSegment, ...],
        removed: np.ndarray,
    ) -> None:
        self.manifest = manifest
        self.segments = segments
        self.removed = removed
        self.photos = (
            join_photos([segment.photos for segment in segments])
            if segments
            else empty_photos()
        )
        self.descriptors = JoinedDescriptors(
            [segment.descriptors for segment in segments],
            manifest.descriptor_dim,
            np.dtype(manifest.dtype),
        )

    @classmethod
    def open(
        cls, folder: Path, manifest: IndexManifest, former: IndexState | None = None
    ) -> IndexState:
        """Opens what a manifest names.

        Args:
            folder: The index.
            manifest: The state.
            former: A state whose segments are used again where they are the same.

        Raises:
            FileNotFoundError: A file is missing, perhaps since the index changed.
            IndexMismatchError: A file is damaged.
        """
        opened = (
            {open_.segment.folder: open_ for open_ in former.segments} if former else {}
        )
        segments = []
        for segment in manifest.segments:
            known = opened.get(segment.folder)
            if known is None or known.segment != segment:
                known = OpenSegment.open(
                    folder, segment, manifest.descriptor_dim, manifest.dtype
                )
            segments.append(known)
        removed = np.empty(0, np.int64)
        if manifest.removed_file and manifest.removed:
            manifest.removed.check(folder / manifest.removed_file)
            removed = np.load(folder / manifest.removed_file, allow_pickle=False)
        return cls(manifest, tuple(segments), removed)

    @property
    def is_exact(self) -> bool:
        """Whether every true neighbour is found."""
        return all(segment.index.is_exact for segment in self.segments)

    @property
    def alive_rows(self) -> np.ndarray:
        """Rows that were not removed, ascending."""
        return np.delete(np.arange(len(self.photos)), self.removed)

    def search(
        self, queries: np.ndarray, k: int, *, within: Within | None = None
    ) -> Matches:
        """See `PlaceIndex.search`."""
        if k < 1:
            raise ValueError(f"`k` must be 1 or more. Received: k={k}")
        queries = np.asarray(queries, np.float32)
        dim = self.manifest.descriptor_dim
        if queries.ndim != 2 or queries.shape[1] != dim:
            raise RetrievalError(
                f"`queries` must have the shape (num_queries, {dim}), as this index "
                f"has. Received: {queries.shape}. Use its encoder."
            )
        rows = None
        if within is not None:
            rows = within.rows(self.photos.positions)
            rows = np.setdiff1d(rows, self.removed, assume_unique=True)
        found = self._search(queries, k, rows)
        return Matches(*found, self.photos, self.descriptors)

    def _search(
        self, queries: np.ndarray, k: int, rows: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        distances = [np.full((len(queries), k), np.inf, np.float32)]
        ids = [np.full((len(queries), k), MISSING_ID, np.int64)]
        first = 0
        for segment in self.segments:
            found = self._search_segment(segment, first, queries, k, rows)
            distances.append(found[0])
            ids.append(np.where(found[1] < 0, found[1], found[1] + first))
            first += segment.segment.num_rows
        return _nearest(np.hstack(distances), np.hstack(ids), k)

    def search_rows(
        self, queries: np.ndarray, k: int, rows: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Searches some rows, ascending, exactly; see `Index.search`."""
        return self._search(queries, k, rows)

    def _search_segment(
        self,
        segment: OpenSegment,
        first: int,
        queries: np.ndarray,
        k: int,
        rows: np.ndarray | None,
    ) -> tuple[np.ndarray, np.ndarray]:
        bounds = [first, first + segment.segment.num_rows]
        if rows is None:
            start, stop = np.searchsorted(self.removed, bounds)
            removed = self.removed[start:stop] - first
            return search_without(segment.index, queries, k, removed)
        start, stop = np.searchsorted(rows, bounds)
        return segment.index.search(queries, k, rows=rows[start:stop] - first)


def open_state(
    folder: Path, manifest: IndexManifest, former: IndexState | None = None
) -> IndexState:
    """Opens a state that no one else changes.

    Raises:
        IndexMismatchError: A file is missing or damaged.
    """
    try:
        return IndexState.open(folder, manifest, former)
    except OSError as error:
        raise unreadable(error, folder) from error


def search_without(
    index: Index, queries: np.ndarray, k: int, removed: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Searches an index as if some of its rows were not there.

    More neighbours than wanted are fetched, and more again for the queries that lost
    too many: what remains is what an index without these rows finds.

    Args:
        index: The index.
        queries: Descriptors.
        k: Neighbours a query.
        removed: Rows, ascending.

    Returns:
        See `Index.search`.
    """
    if not len(removed):
        return index.search(queries, k)
    distances = np.full((len(queries), k), np.inf, np.float32)
    ids = np.full((len(queries), k), MISSING_ID, np.int64)
    alive = index.num_images - len(removed)
    if not alive:
        index.search(queries[:0], k)
        return distances, ids
    fetched = k * index.num_images // alive + _SPARE_NEIGHBOURS
    waiting = np.arange(len(queries))
    while len(waiting):
        fetched = min(fetched, index.num_images)
        found, rows = index.search(queries[waiting], fetched)
        last = rows[:, -1] < 0
        gone = np.isin(rows, removed)
        found, rows = np.where(gone, np.inf, found), np.where(gone, MISSING_ID, rows)
        done = last | ((rows >= 0).sum(axis=1) >= k) | (fetched == index.num_images)
        distances[waiting[done]], ids[waiting[done]] = _nearest(
            *_padded(found[done], rows[done], k), k
        )
        waiting = waiting[~done]
        fetched *= 4
    return distances, ids


def _padded(
    distances: np.ndarray, ids: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    short = ((0, 0), (0, max(0, k - ids.shape[1])))
    return (
        np.pad(distances, short, constant_values=np.inf),
        np.pad(ids, short, constant_values=MISSING_ID),
    )


def _nearest(
    distances: np.ndarray, ids: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the k nearest columns; of equal ones the first, the lowest row."""
    order = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return (
        np.take_along_axis(distances, order, axis=1),
        np.take_along_axis(ids, order, axis=1),
    )
