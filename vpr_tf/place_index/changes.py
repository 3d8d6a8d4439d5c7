"""Changes of an index folder: each makes the old state the new one, or nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from vpr_tf.geo import GeoCircle
from vpr_tf.photos import PhotoTable
from vpr_tf.place_index.index_state import IndexState
from vpr_tf.place_index.joined import (
    JoinedDescriptors,
    SelectedDescriptors,
    join_photos,
)
from vpr_tf.place_index.kept_features import PhotoFeatures
from vpr_tf.place_index.layout import index_path
from vpr_tf.place_index.manifest import IndexManifest
from vpr_tf.place_index.manifest_parts import KeptLocalFeatures
from vpr_tf.place_index.packed_features import (
    FeatureRows,
    JoinedFeatures,
    NoFeatures,
    SelectedFeatures,
)
from vpr_tf.place_index.photo_columns import check_keys
from vpr_tf.place_index.recall import recall_of_state
from vpr_tf.place_index.segment import OpenSegment, write_segment
from vpr_tf.place_index.transaction import Transaction, transaction
from vpr_tf.printable import printable
from vpr_tf.search import (
    KEPT_EXACT_MAX_IMAGES,
    Descriptors,
    ExactIndex,
    RetrievalError,
    check_descriptors,
    index_kind,
)
from vpr_tf.stored_files import StoredFile

_NAMES_IN_MESSAGES = 5


def add_photos(
    folder: Path,
    descriptors: Descriptors,
    photos: PhotoTable,
    replace_existing: bool,
    recall_queries: int,
    local: PhotoFeatures | None = None,
) -> IndexManifest:
    """See `PlaceIndex.add`."""
    with transaction(folder) as change:
        former = IndexState.open(change.folder, change.manifest, searched=False)
        _check_local(local, change.manifest.local_features)
        check_photos(descriptors, photos, change.manifest.descriptor_dim)
        photos.positions.refuse_mixture(former.photos.positions)
        removed = former.removed
        present = former.find_alive(np.sort(np.asarray(photos.keys, "S")))[0]
        if len(present):
            if not replace_existing:
                names = _names(former.photos.take(present).keys)
                raise RetrievalError(
                    f"The index {folder} already has {len(present)} of these photos: "
                    f"{names}. Leave them out, or ask to replace them."
                )
            removed = np.union1d(removed, present)
        manifest = with_segment(
            change, former.segments, descriptors, photos, local.rows if local else None
        )
        manifest = _with_removed(change, manifest, removed)
        return commit(change, manifest, recall_queries)


def remove_photos(
    folder: Path,
    keys: Iterable[str | bytes] | None,
    older_than: bytes | None,
    within: GeoCircle | None,
    recall_queries: int,
) -> IndexManifest:
    """See `PlaceIndex.remove`."""
    with transaction(folder) as change:
        former = IndexState.open(change.folder, change.manifest, searched=False)
        if keys is None:
            rows = former.select(older_than, within)
        else:
            rows = _rows_of(former, keys, folder)
        if not len(rows):
            return change.manifest
        removed = np.union1d(former.removed, rows)
        manifest = _with_removed(change, change.manifest, removed)
        return commit(change, manifest, recall_queries)


def rebuild(
    folder: Path,
    recall_queries: int,
    kind: str | None = None,
    settings: dict[str, Any] | None = None,
) -> IndexManifest:
    """Makes one segment of all photos, and builds its search structure.

    Args:
        folder: The index.
        recall_queries: Photos on which recall is measured; 0 to not measure.
        kind: Of the search structure; None for the former one, whose settings are kept
            as well. Then nothing is done if no photos were added or removed since.
        settings: See `SearchIndex.build`.
    """
    with transaction(folder) as change:
        manifest = change.manifest
        if kind is not None:
            num_photos = max(1, manifest.num_photos)
            kind = index_kind(kind, num_photos, KEPT_EXACT_MAX_IMAGES)
            manifest = replace(manifest, kind=kind, settings=settings)
        elif not manifest.unmerged_share:
            return manifest
        former = IndexState.open(change.folder, change.manifest, searched=False)
        manifest = replace(
            manifest, segments=(), removed_file=None, removed=None, num_removed=0
        )
        if len(former.alive_rows):
            manifest = with_segment(
                Transaction(change.folder, manifest),
                (),
                SelectedDescriptors(former.descriptors, former.alive_rows),
                former.photos.take(former.alive_rows),
                SelectedFeatures(former.local_rows, former.alive_rows),
            )
        return commit(change, manifest, recall_queries)


def set_localization(folder: Path, localization: dict[str, Any] | None) -> None:
    """Stores settings and calibration of `vpr_tf.localization`, JSON-ready.

    Raises:
        ValueError: Not JSON.
    """
    with transaction(folder) as change:
        change.commit(
            replace(
                change.manifest, localization=localization, generation=change.generation
            )
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
    photos.positions.refuse_mixture()


def with_segment(
    change: Transaction,
    segments: Sequence[OpenSegment],
    descriptors: Descriptors,
    photos: PhotoTable,
    local: FeatureRows | None = None,
) -> IndexManifest:
    """Writes photos after those of `segments`; the small ones before are merged.

    So the number of segments grows with the logarithm of what was added.
    """
    manifest = change.manifest
    kept = list(segments)
    local = NoFeatures(len(photos)) if local is None else local
    while len(kept) > 1 and _is_mergeable(kept[-1], len(photos)):
        last = kept.pop()
        parts = [last.descriptors, descriptors]
        dtype = np.dtype(manifest.dtype)
        descriptors = JoinedDescriptors(parts, manifest.descriptor_dim, dtype)
        local = JoinedFeatures([last.local or NoFeatures(len(last.photos)), local])
        photos = join_photos([last.photos, photos])
    segment = write_segment(
        change.folder,
        change.new_segment,
        descriptors,
        photos,
        kind=ExactIndex.kind if kept else manifest.kind,
        settings=None if kept else manifest.settings,
        dtype=manifest.dtype,
        local=None if manifest.local_features is None else local,
    )
    return replace(
        manifest,
        kind=manifest.kind if kept else segment.kind,
        segments=(*(former.entry for former in kept), segment),
    )


def _check_local(local: PhotoFeatures | None, wanted: KeptLocalFeatures | None) -> None:
    """Refuses key points that would not be compared with those of other photos.

    Raises:
        RetrievalError: They are of another matcher.
    """
    if local is not None and local.kept != wanted:
        kept = "none" if wanted is None else f"those by {wanted.identity}"
        raise RetrievalError(
            f"The index keeps {kept} as key points of its photos. Received: those by "
            f"{local.kept.identity}. Use the same matcher, or build the index again."
        )


def commit(
    change: Transaction, manifest: IndexManifest, recall_queries: int
) -> IndexManifest:
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
    return manifest


def _is_mergeable(segment: OpenSegment, num_new: int) -> bool:
    # A damaged segment stays as it is, and does not keep photos from being added.
    return len(segment.photos) <= num_new and not segment.descriptors.damaged_rows()


def _with_removed(
    change: Transaction, manifest: IndexManifest, removed: np.ndarray
) -> IndexManifest:
    """Writes the list of removed rows, ascending, if it is longer than before."""
    if len(removed) == manifest.num_removed:
        return manifest
    path = index_path(change.folder, change.new_removed_file)
    np.save(path, removed.astype("<i8"), allow_pickle=False)
    return replace(
        manifest,
        removed_file=path.name,
        removed=StoredFile.from_path(path),
        num_removed=len(removed),
    )


def _rows_of(
    state: IndexState, keys: Iterable[str | bytes], folder: Path
) -> np.ndarray:
    names = {key.encode() if isinstance(key, str) else bytes(key) for key in keys}
    wanted = np.sort(np.array(list(names), "S"))
    rows, found = state.find_alive(wanted)
    unknown = np.delete(wanted, found)
    if len(unknown):
        raise RetrievalError(
            f"The index {folder} has no photos of {len(unknown)} of these keys: "
            f"{_names(unknown)}. Nothing was removed."
        )
    return rows


def _names(keys: np.ndarray) -> str:
    names = [printable(key) for key in keys[:_NAMES_IN_MESSAGES]]
    return ", ".join(names) + (", ..." if len(keys) > len(names) else "")
