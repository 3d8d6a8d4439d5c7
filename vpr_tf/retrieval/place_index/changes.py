"""Adding, removing and merging photos of an index folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from vpr_tf.photo_table import PhotoTable
from vpr_tf.retrieval.errors import RetrievalError
from vpr_tf.retrieval.exact_index import ExactIndex
from vpr_tf.retrieval.index import Descriptors, check_descriptors
from vpr_tf.retrieval.place_index.index_state import IndexState, open_state
from vpr_tf.retrieval.place_index.joined import (
    JoinedDescriptors,
    SelectedDescriptors,
    join_photos,
)
from vpr_tf.retrieval.place_index.manifest import IndexManifest, RecallReport
from vpr_tf.retrieval.place_index.photo_columns import check_keys, find_rows
from vpr_tf.retrieval.place_index.recall import RECALL_QUERIES, recall_of_state
from vpr_tf.retrieval.place_index.segment import OpenSegment, write_segment
from vpr_tf.retrieval.place_index.stored_files import StoredFile
from vpr_tf.retrieval.place_index.transaction import Transaction, transaction

_COMPACT_ABOVE_SHARE = 0.1
_NAMES_IN_MESSAGES = 5


@dataclass(frozen=True)
class ChangeReport:
    """What an index is after a change.

    Attributes:
        manifest: The new state.
        advice: What should be done next; None if nothing.
    """

    manifest: IndexManifest
    advice: str | None

    @property
    def recall(self) -> RecallReport | None:
        """Recall against exact search; None if it was not measured."""
        return self.manifest.recall


def add_photos(
    folder: str | Path,
    descriptors: Descriptors,
    photos: PhotoTable,
    *,
    replace_existing: bool = False,
    recall_queries: int = RECALL_QUERIES,
) -> ChangeReport:
    """Adds photos, which the next search finds, exactly until `compact`.

    Args:
        folder: The index.
        descriptors: `(num_photos, descriptor_dim)`, finite, of the index's encoder.
        photos: Metadata; keys that the index does not have.
        replace_existing: Whether photos whose keys the index has take their place.
        recall_queries: Photos on which recall is measured; 0 to not measure.

    Raises:
        ValueError: Descriptors or photos cannot be, or a key is there already. The
            index is as it was.
        RetrievalError: The folder is damaged or cannot be written.
    """
    with transaction(Path(folder)) as change:
        former = open_state(change.folder, change.manifest)
        check_photos(descriptors, photos, change.manifest.descriptor_dim)
        removed = former.removed
        present = _find_alive(former, np.sort(np.asarray(photos.keys, "S")))[0]
        if len(present):
            if not replace_existing:
                names = _names(former.photos.take(present).keys)
                raise RetrievalError(
                    f"The index {folder} already has {len(present)} of these photos: "
                    f"{names}. Leave them out, or ask to replace them."
                )
            removed = np.union1d(removed, present)
        manifest = with_segment(change, former.segments, descriptors, photos)
        manifest = _with_removed(change, manifest, removed)
        return commit(change, manifest, former, recall_queries)


def remove_photos(
    folder: str | Path,
    keys: Sequence[str | bytes],
    *,
    recall_queries: int = RECALL_QUERIES,
) -> ChangeReport:
    """Removes photos; the next search does not find them. `compact` frees their space.

    Args:
        folder: The index.
        keys: Of the photos; all must be there, or nothing is removed.
        recall_queries: See `add_photos`.

    Raises:
        RetrievalError: A key is unknown, or the folder is damaged or cannot be
            written.
    """
    names = {key.encode() if isinstance(key, str) else bytes(key) for key in keys}
    wanted = np.sort(np.array(list(names), "S"))
    with transaction(Path(folder)) as change:
        former = open_state(change.folder, change.manifest)
        rows, found = _find_alive(former, wanted)
        unknown = np.delete(wanted, found)
        if len(unknown):
            raise RetrievalError(
                f"The index {folder} has no photos of {len(unknown)} of these keys: "
                f"{_names(unknown)}. Nothing was removed."
            )
        removed = np.union1d(former.removed, rows)
        manifest = _with_removed(change, change.manifest, removed)
        return commit(change, manifest, former, recall_queries)


def compact(
    folder: str | Path, *, recall_queries: int = RECALL_QUERIES
) -> ChangeReport:
    """Makes one segment of all photos, and builds its search structure.

    Does nothing if no photos were added or removed since.

    Args:
        folder: The index.
        recall_queries: See `add_photos`.

    Raises:
        RetrievalError: The folder is damaged or cannot be written.
    """
    with transaction(Path(folder)) as change:
        if not change.manifest.unmerged_share:
            return ChangeReport(change.manifest, None)
        return _merge(change, change.manifest, recall_queries)


def set_settings(
    folder: str | Path,
    kind: str,
    settings: dict[str, Any] | None,
    *,
    recall_queries: int = RECALL_QUERIES,
) -> ChangeReport:
    """Builds another search structure for all photos.

    Args:
        folder: The index.
        kind: `exact`, `scann`, `milvus` or `auto`.
        settings: See `Index.build`.
        recall_queries: See `add_photos`.

    Raises:
        ValueError: No such kind or settings.
        RetrievalError: The folder is damaged or cannot be written.
    """
    with transaction(Path(folder)) as change:
        manifest = replace(change.manifest, kind=kind, settings=settings)
        return _merge(change, manifest, recall_queries)


def set_localization(
    folder: str | Path, localization: dict[str, Any] | None
) -> IndexManifest:
    """Stores settings and calibration of `vpr_tf.localization`.

    Args:
        folder: The index.
        localization: JSON-ready.

    Raises:
        ValueError: Not JSON.
        RetrievalError: The folder is damaged or cannot be written.
    """
    with transaction(Path(folder)) as change:
        manifest = replace(
            change.manifest, localization=localization, generation=change.generation
        )
        change.commit(manifest)
        return manifest


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
    segments: Sequence[OpenSegment],
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
        segments=(*(open_.segment for open_ in kept), segment),
    )


def _is_mergeable(segment: OpenSegment, num_new: int) -> bool:
    # A damaged segment stays as it is, and does not keep photos from being added.
    return len(segment.photos) <= num_new and not segment.descriptors.damaged_rows()


def commit(
    change: Transaction,
    manifest: IndexManifest,
    former: IndexState | None,
    recall_queries: int,
) -> ChangeReport:
    """Opens the new state, measures it and puts it in place of the old one."""
    manifest = replace(
        manifest,
        generation=change.generation,
        num_photos=manifest.num_rows - manifest.num_removed,
        recall=None,
    )
    if recall_queries:
        state = open_state(change.folder, manifest, former)
        recall = recall_of_state(state, recall_queries)
        manifest = replace(manifest, recall=recall)
    change.commit(manifest)
    share = manifest.unmerged_share
    advice = None
    if share > _COMPACT_ABOVE_SHARE:
        advice = (
            f"{share:.0%} of the rows were added or removed since the index was built. "
            f"Run `python -m vpr_tf.retrieval compact {change.folder}`."
        )
    return ChangeReport(manifest, advice)


def _merge(
    change: Transaction, manifest: IndexManifest, recall_queries: int
) -> ChangeReport:
    former = open_state(change.folder, change.manifest)
    alive = former.alive_rows
    manifest = replace(
        manifest, segments=(), removed_file=None, removed=None, num_removed=0
    )
    if len(alive):
        all_photos = Transaction(change.folder, manifest)
        manifest = with_segment(
            all_photos,
            (),
            SelectedDescriptors(former.descriptors, alive),
            former.photos.take(alive),
        )
    return commit(change, manifest, None, recall_queries)


def _with_removed(
    change: Transaction, manifest: IndexManifest, removed: np.ndarray
) -> IndexManifest:
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


def _find_alive(state: IndexState, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rows, found = find_rows(state.photos.keys, wanted)
    alive = ~np.isin(rows, state.removed)
    return rows[alive], found[alive]


def _names(keys: np.ndarray) -> str:
    names = [key.decode(errors="replace") for key in keys[:_NAMES_IN_MESSAGES]]
    return ", ".join(names) + (", ..." if len(keys) > len(names) else "")
