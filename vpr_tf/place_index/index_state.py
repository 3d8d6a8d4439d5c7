"""One state of an index, opened: it answers as long as it is referred to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vpr_tf.geo import GeoCircle
from vpr_tf.photos.photo_table import PhotoTable
from vpr_tf.place_index.manifest import IndexManifest
from vpr_tf.place_index.merged_search import (
    nearest,
    no_neighbours,
    search_without,
)
from vpr_tf.place_index.segment import SearchedSegment
from vpr_tf.place_index.stored_state import StoredState, read_removed
from vpr_tf.search import (
    CellFilter,
    CellRanking,
    CellRows,
    Descriptors,
    RetrievalError,
    check_finite,
    covers_all,
)


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


class IndexState(StoredState):
    """Segments that are searched as one.

    Args:
        manifest: The state.
        segments: Those that it names.
        removed: Rows that are no longer found, ascending.
    """

    def __init__(
        self,
        manifest: IndexManifest,
        segments: Sequence[SearchedSegment],
        removed: np.ndarray,
    ) -> None:
        super().__init__(manifest, [part.stored for part in segments], removed)
        self.segments = segments
        self._cell_rows: tuple[CellRanking, CellRows] | None = None

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
        known = former.segments if former else ()
        opened = {part.stored.entry.folder: part for part in known}
        segments = []
        for entry in manifest.segments:
            part = opened.get(entry.folder)
            if part is None or part.stored.entry != entry:
                part = SearchedSegment.open(folder, manifest, entry)
            segments.append(part)
        return cls(manifest, segments, read_removed(folder, manifest))

    @property
    def is_exact(self) -> bool:
        """Whether every true neighbour is found."""
        return all(part.index.is_exact for part in self.segments)

    def search(
        self,
        queries: np.ndarray,
        k: int,
        *,
        within: GeoCircle | None = None,
        cells: CellFilter | None = None,
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
        found = self._search_cells(queries, k, rows, cells) if cells else None
        found = found or self._search(queries, k, rows)
        return Matches(*found, self.photos, self.descriptors)

    def cell_rows(self, ranking: CellRanking) -> CellRows:
        """Returns the rows of each cell, without removed ones.

        Found by their positions when asked for the first time.
        """
        known = self._cell_rows
        if known is None or known[0] is not ranking:
            located = ranking.cells_of(self.photos.positions)
            cell_rows = CellRows.from_cells(located, ranking.num_cells)
            if len(self.removed):
                cell_rows = cell_rows.part(self.alive_rows)
            known = self._cell_rows = (ranking, cell_rows)
        return known[1]

    def _search_cells(
        self, queries: np.ndarray, k: int, rows: np.ndarray | None, cells: CellFilter
    ) -> tuple[np.ndarray, np.ndarray] | None:
        """Returns None if the best cells are all, and need no search of their own."""
        check_finite(queries)
        cell_rows = self.cell_rows(cells.ranking)
        if rows is not None:
            cell_rows = cell_rows.part(rows)
        if covers_all(cell_rows, cells.num_cells):
            return None
        return cells.search(self.descriptors, queries, k, cell_rows)

    def _search(
        self, queries: np.ndarray, k: int, rows: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        found, first = [], 0
        for part in self.segments:
            distances, ids = self._search_segment(part, first, queries, k, rows)
            found.append((distances, np.where(ids < 0, ids, ids + first)))
            first += part.stored.entry.num_rows
        if len(found) == 1:
            return found[0]
        found.append(no_neighbours(len(queries), k))
        distances, ids = map(np.hstack, zip(*found, strict=True))
        return nearest(distances, ids, k)

    def search_rows(
        self, queries: np.ndarray, k: int, rows: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Searches some rows, ascending, exactly; see `SearchIndex.search`."""
        return self._search(queries, k, rows)

    def _search_segment(
        self,
        segment: SearchedSegment,
        first: int,
        queries: np.ndarray,
        k: int,
        rows: np.ndarray | None,
    ) -> tuple[np.ndarray, np.ndarray]:
        bounds = [first, first + segment.stored.entry.num_rows]
        if rows is None:
            start, stop = np.searchsorted(self.removed, bounds)
            removed = self.removed[start:stop] - first
            return search_without(segment.index, queries, k, removed)
        start, stop = np.searchsorted(rows, bounds)
        return segment.index.search(queries, k, rows=rows[start:stop] - first)
