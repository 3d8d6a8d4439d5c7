"""One state of an index: it can be read and searched as long as it is referred to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vpr_tf.geo import GeoCircle
from vpr_tf.photos import PhotoTable
from vpr_tf.place_index.checked_files import check_file
from vpr_tf.place_index.joined import JoinedDescriptors, join_photos
from vpr_tf.place_index.layout import misfit
from vpr_tf.place_index.manifest import IndexManifest
from vpr_tf.place_index.packed_features import JoinedFeatures, NoFeatures
from vpr_tf.place_index.photo_columns import (
    empty_photos,
    find_rows,
    is_older,
    read_column,
)
from vpr_tf.place_index.segment import OpenSegment
from vpr_tf.search import (
    MISSING_ID,
    CellFilter,
    CellRanking,
    CellRows,
    Descriptors,
    SearchIndex,
    check_k,
    checked_queries,
    no_neighbours,
)

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

    @property
    def keys(self) -> list[list[str]]:
        """Of the photos found, a list a query, nearest first; missing ones left out."""
        return [
            [key.decode() for key in self.photos.take(rows[rows >= 0]).keys]
            for rows in self.rows
        ]


class IndexState:
    """Segments one after the other, read and searched as one.

    Args:
        manifest: The state.
        segments: Those that it names.
        removed: Rows that are no longer found, int64, ascending.

    Attributes:
        photos: Of all rows, removed ones too.
        descriptors: Of all rows.
    """

    def __init__(
        self,
        manifest: IndexManifest,
        segments: Sequence[OpenSegment],
        removed: np.ndarray,
    ) -> None:
        self.manifest = manifest
        self.segments = segments
        self.removed = removed
        self.photos: PhotoTable = (
            join_photos([segment.photos for segment in segments])
            if segments
            else empty_photos()
        )
        self.descriptors: Descriptors = JoinedDescriptors(
            [segment.descriptors for segment in segments],
            manifest.descriptor_dim,
            np.dtype(manifest.dtype),
        )
        self._cell_rows: tuple[CellRanking, CellRows] | None = None

    @classmethod
    def open(
        cls,
        folder: Path,
        manifest: IndexManifest,
        former: IndexState | None = None,
        *,
        searched: bool = True,
    ) -> IndexState:
        """Opens what a manifest names.

        Args:
            folder: The index.
            manifest: The state.
            former: A state whose segments are used again where they are the same.
            searched: Whether to open the search structures; else it can only be read.

        Raises:
            IndexMismatchError: A file is damaged or missing, perhaps since the index
                changed.
        """
        opened = {
            part.entry.folder: part for part in (former.segments if former else ())
        }
        segments = []
        for entry in manifest.segments:
            part = opened.get(entry.folder)
            if part is None or part.entry != entry:
                part = OpenSegment.open(folder, manifest, entry, searched=searched)
            segments.append(part)
        return cls(manifest, segments, _read_removed(folder, manifest))

    @property
    def is_exact(self) -> bool:
        """Whether every true neighbour is found."""
        return all(part.index and part.index.is_exact for part in self.segments)

    @property
    def alive_rows(self) -> np.ndarray:
        """Rows that were not removed, ascending."""
        return np.delete(np.arange(len(self.photos)), self.removed)

    @property
    def alive_photos(self) -> PhotoTable:
        """The photos that were not removed."""
        return self.photos.take(self.alive_rows) if len(self.removed) else self.photos

    @property
    def local_rows(self) -> JoinedFeatures:
        """Key points of the photos of all rows."""
        return JoinedFeatures(
            NoFeatures(len(part.photos)) if part.local is None else part.local
            for part in self.segments
        )

    def find_alive(self, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Finds photos that were not removed; see `find_rows`."""
        rows, found, first = [np.empty(0, np.int64)], [np.empty(0, np.int64)], 0
        for segment in self.segments:
            part = find_rows(segment.photos.keys, wanted)
            rows.append(part[0] + first)
            found.append(part[1])
            first += segment.entry.num_rows
        all_rows = np.concatenate(rows)
        alive = ~np.isin(all_rows, self.removed)
        return all_rows[alive], np.concatenate(found)[alive]

    def select(self, older_than: bytes | None, within: GeoCircle | None) -> np.ndarray:
        """Returns the rows that were not removed and meet all conditions, ascending."""
        rows = self.alive_rows
        if older_than is not None:
            rows = rows[is_older(self.photos.timestamps[rows], older_than)]
        if within is not None:
            rows = np.intersect1d(
                rows, GeoCircle.read(within).rows(self.photos.positions)
            )
        return rows

    def search(
        self,
        queries: npt.ArrayLike,
        k: int,
        *,
        within: GeoCircle | None = None,
        cells: CellFilter | None = None,
    ) -> Matches:
        """See `PlaceIndex.search`."""
        check_k(k, len(self.photos))
        queries = checked_queries(queries, self.manifest.descriptor_dim)
        rows = None
        if within is not None:
            rows = GeoCircle.read(within).rows(self.photos.positions)
            rows = np.setdiff1d(rows, self.removed, assume_unique=True)
        found = self._search_cells(queries, k, rows, cells) if cells else None
        found = found or self.search_rows(queries, k, rows)
        return Matches(*found, self.photos, self.descriptors)

    def cell_rows(self, ranking: CellRanking) -> CellRows:
        """Returns the rows of each cell, without removed ones.

        Found by their positions when they are needed for the first time.
        """
        known = self._cell_rows
        if known is None or known[0] is not ranking:
            located = ranking.cells_of(self.photos.positions)
            cell_rows = CellRows.from_cells(located, ranking.num_cells)
            if len(self.removed):
                cell_rows = cell_rows.part(self.alive_rows)
            known = self._cell_rows = (ranking, cell_rows)
        return known[1]

    def search_rows(
        self, queries: np.ndarray, k: int, rows: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Searches some rows, ascending, exactly, or all: `SearchIndex.search`."""
        found, first = [], 0
        for part in self.segments:
            distances, ids = self._search_segment(part, first, queries, k, rows)
            found.append((distances, np.where(ids < 0, ids, ids + first)))
            first += part.entry.num_rows
        if len(found) == 1:
            return found[0]
        found.append(no_neighbours(len(queries), k))
        distances, ids = map(np.hstack, zip(*found, strict=True))
        return _nearest(distances, ids, k)

    def _search_cells(
        self, queries: np.ndarray, k: int, rows: np.ndarray | None, cells: CellFilter
    ) -> tuple[np.ndarray, np.ndarray] | None:
        """Returns None if the best cells are all, and need no search of their own."""
        cell_rows = self.cell_rows(cells.ranking)
        if rows is not None:
            cell_rows = cell_rows.part(rows)
        if cells.covers(cell_rows):
            return None
        return cells.search(self.descriptors, queries, k, cell_rows)

    def _search_segment(
        self,
        segment: OpenSegment,
        first: int,
        queries: np.ndarray,
        k: int,
        rows: np.ndarray | None,
    ) -> tuple[np.ndarray, np.ndarray]:
        if segment.index is None:
            raise RuntimeError("This state was opened without its search structures.")
        bounds = [first, first + segment.entry.num_rows]
        if rows is None:
            start, stop = np.searchsorted(self.removed, bounds)
            removed = self.removed[start:stop] - first
            return _search_without(segment.index, queries, k, removed)
        start, stop = np.searchsorted(rows, bounds)
        return segment.index.search(queries, k, rows=rows[start:stop] - first)


def _nearest(
    distances: np.ndarray, ids: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the k nearest columns; of equal ones the first, the lowest row."""
    order = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return (
        np.take_along_axis(distances, order, axis=1),
        np.take_along_axis(ids, order, axis=1),
    )


def _search_without(
    index: SearchIndex, queries: np.ndarray, k: int, removed: np.ndarray
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
        See `SearchIndex.search`.
    """
    if not len(removed):
        return index.search(queries, k)
    distances, ids = no_neighbours(len(queries), k)
    num_alive = index.num_images - len(removed)
    if not num_alive:
        return distances, ids
    fetched = k * index.num_images // num_alive + _SPARE_NEIGHBOURS
    waiting = np.arange(len(queries))
    while len(waiting):
        fetched = min(fetched, index.num_images)
        found, rows = index.search(queries[waiting], fetched)
        is_all = (rows[:, -1] < 0) | (fetched == index.num_images)
        gone = np.isin(rows, removed)
        found[gone], rows[gone] = np.inf, MISSING_ID
        done = is_all | ((rows >= 0).sum(axis=1) >= k)
        found, rows = _nearest(found[done], rows[done], k)
        width = found.shape[1]
        distances[waiting[done], :width], ids[waiting[done], :width] = found, rows
        waiting = waiting[~done]
        fetched *= 4
    return distances, ids


def _read_removed(folder: Path, manifest: IndexManifest) -> np.ndarray:
    if not (manifest.removed_file and manifest.removed):
        return np.empty(0, np.int64)
    path = folder / manifest.removed_file
    check_file(folder, manifest.removed_file, manifest.removed)
    removed = read_column(path, "<i8", manifest.num_removed, mapped=False)
    ascending = np.concatenate([[-1], removed, [manifest.num_rows]])
    if (np.diff(ascending) < 1).any():
        raise misfit(path, f"it must name rows below {manifest.num_rows}, ascending")
    return removed
