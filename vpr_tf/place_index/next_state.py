"""What all changes of an index have in common: new files, a measured new state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from vpr_tf.photos.photo_table import PhotoTable
from vpr_tf.place_index.index_state import IndexState
from vpr_tf.place_index.joined import JoinedDescriptors, join_photos
from vpr_tf.place_index.manifest import IndexManifest, RecallReport
from vpr_tf.place_index.photo_columns import check_keys
from vpr_tf.place_index.recall import recall_of_state
from vpr_tf.place_index.segment import StoredSegment
from vpr_tf.place_index.segment_writer import write_segment
from vpr_tf.place_index.stored_files import StoredFile
from vpr_tf.place_index.transaction import Transaction
from vpr_tf.search import Descriptors, ExactIndex, RetrievalError, check_descriptors

_COMPACT_ABOVE_SHARE = 0.1


@dataclass(frozen=True)
class ChangeReport:
    """What an index is after a change.

    Attributes:
        manifest: The new state.
    """

    manifest: IndexManifest

    @property
    def recall(self) -> RecallReport | None:
        """Recall against exact search; None if it was not measured."""
        return self.manifest.recall

    @property
    def advice(self) -> str | None:
        """What should be done next; None if nothing."""
        share = self.manifest.unmerged_share
        if share <= _COMPACT_ABOVE_SHARE:
            return None
        return (
            f"{share:.0%} of the rows were added or removed since the search structure "
            "was built. Run `python -m vpr_tf.place_index compact` for the full speed."
        )


def check_photos(
    descriptors: Descriptors, photos: PhotoTable, descriptor_dim: int
) -> None:
    """Checks that photos and their descriptors fit.

    Raises:
        ValueError: They do not.
    """
    check_descriptors(descriptors)
    expected = (len(photos), descriptor_dim)
    if descriptors.shape != expected:
        raise RetrievalError(
            f"`descriptors` must have the shape {expected}: one a photo, as long as "
            f"the encoder's. Received: {descriptors.shape}"
        )
    check_keys(photos)


def with_segment(
    change: Transaction,
    segments: Sequence[StoredSegment],
    descriptors: Descriptors,
    photos: PhotoTable,
) -> IndexManifest:
    """Writes photos after those of `segments`; the small ones before are merged.

    So the number of segments grows with the logarithm of what was added.
    """
    manifest = change.manifest
    kept = list(segments)
    while len(kept) > 1 and _is_mergeable(kept[-1], len(photos)):
        last = kept.pop()
        parts = [last.descriptors, descriptors]
        dtype = np.dtype(manifest.dtype)
        descriptors = JoinedDescriptors(parts, manifest.descriptor_dim, dtype)
        photos = join_photos([last.photos, photos])
    segment = write_segment(
        change.folder,
        change.new_segment,
        descriptors,
        photos,
        kind=ExactIndex.kind if kept else manifest.kind,
        settings=None if kept else manifest.settings,
        dtype=manifest.dtype,
    )
    return replace(
        manifest,
        kind=manifest.kind if kept else segment.kind,
        segments=(*(former.entry for former in kept), segment),
    )


def _is_mergeable(segment: StoredSegment, num_new: int) -> bool:
    # A damaged segment stays as it is, and does not keep photos from being added.
    return len(segment.photos) <= num_new and not segment.descriptors.damaged_rows()


def with_removed(
    change: Transaction, manifest: IndexManifest, removed: np.ndarray
) -> IndexManifest:
    """Writes the list of removed rows, ascending, if it is longer than before."""
    if len(removed) == manifest.num_removed:
        return manifest
    path = change.folder / change.new_removed_file
    np.save(path, removed.astype("<i8"), allow_pickle=False)
    return replace(
        manifest,
        removed_file=path.name,
        removed=StoredFile.of(path),
        num_removed=len(removed),
    )


def commit(
    change: Transaction,
    manifest: IndexManifest,
    recall_queries: int,
) -> ChangeReport:
    """Measures the new state and puts it in place of the old one.

    Args:
        change: The transaction.
        manifest: The new state, whose files were written.
        recall_queries: Photos to measure recall on; 0 for none.
    """
    manifest = replace(
        manifest,
        generation=change.generation,
        num_photos=manifest.num_rows - manifest.num_removed,
        recall=None,
    )
    # New files are read back even if nothing is measured: ScaNN does not always notice
    # that the disk is full.
    if recall_queries or manifest.segments != change.manifest.segments:
        state = IndexState.open(change.folder, manifest)
        recall = recall_of_state(state, recall_queries) if recall_queries else None
        manifest = replace(manifest, recall=recall)
    change.commit(manifest)
    return ChangeReport(manifest)
