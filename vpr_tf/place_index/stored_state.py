"""One state of an index, as it is on disk."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vpr_tf.photos.photo_table import PhotoTable
from vpr_tf.place_index.joined import JoinedDescriptors, join_photos
from vpr_tf.place_index.manifest import IndexManifest
from vpr_tf.place_index.photo_columns import empty_photos, find_rows
from vpr_tf.place_index.segment import StoredSegment
from vpr_tf.place_index.stored_files import unreadable
from vpr_tf.search import Descriptors


class StoredState:
    """Segments one after the other; can be read even if others change the index.

    Args:
        manifest: The state.
        segments: Those that it names.
        removed: Rows that are no longer found, ascending.

    Attributes:
        photos: Of all rows, removed ones too.
        descriptors: Of all rows.
    """

    def __init__(
        self,
        manifest: IndexManifest,
        segments: Sequence[StoredSegment],
        removed: np.ndarray,
    ) -> None:
        self.manifest = manifest
        self.stored_segments = segments
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

    @property
    def alive_rows(self) -> np.ndarray:
        """Rows that were not removed, ascending."""
        return np.delete(np.arange(len(self.photos)), self.removed)

    def find_alive(self, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Finds photos that were not removed; see `find_rows`."""
        rows, found, first = [np.empty(0, np.int64)], [np.empty(0, np.int64)], 0
        for segment in self.stored_segments:
            part = find_rows(segment.photos.keys, wanted)
            rows.append(part[0] + first)
            found.append(part[1])
            first += segment.entry.num_rows
        all_rows = np.concatenate(rows)
        alive = ~np.isin(all_rows, self.removed)
        return all_rows[alive], np.concatenate(found)[alive]


def read_removed(folder: Path, manifest: IndexManifest) -> np.ndarray:
    """Returns the rows that were removed, ascending, int64."""
    if not (manifest.removed_file and manifest.removed):
        return np.empty(0, np.int64)
    manifest.removed.check(folder / manifest.removed_file)
    return np.load(folder / manifest.removed_file, allow_pickle=False)


def read_state(folder: Path, manifest: IndexManifest) -> StoredState:
    """Opens a state, without its search structures, that no one else changes.

    Raises:
        IndexMismatchError: A file is missing or damaged.
    """
    try:
        segments = [
            StoredSegment.open(folder, manifest, entry) for entry in manifest.segments
        ]
        return StoredState(manifest, segments, read_removed(folder, manifest))
    except OSError as error:
        raise unreadable(error, folder) from error
