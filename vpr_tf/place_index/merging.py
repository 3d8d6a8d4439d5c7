"""Building the search structure of an index again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from vpr_tf.place_index.joined import SelectedDescriptors
from vpr_tf.place_index.manifest import IndexManifest
from vpr_tf.place_index.next_state import ChangeReport, commit, with_segment
from vpr_tf.place_index.recall import RECALL_QUERIES
from vpr_tf.place_index.stored_state import read_state
from vpr_tf.place_index.transaction import Transaction, transaction
from vpr_tf.search import KEPT_EXACT_MAX_IMAGES, index_kind


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
            return ChangeReport(change.manifest)
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
        settings: See `SearchIndex.build`.
        recall_queries: See `add_photos`.

    Raises:
        ValueError: No such kind or settings. The index is as it was.
        RetrievalError: The folder is damaged or cannot be written.
    """
    with transaction(Path(folder)) as change:
        num_photos = max(1, change.manifest.num_photos)
        kind = index_kind(kind, num_photos, KEPT_EXACT_MAX_IMAGES)
        manifest = replace(change.manifest, kind=kind, settings=settings)
        return _merge(change, manifest, recall_queries)


def _merge(
    change: Transaction, manifest: IndexManifest, recall_queries: int
) -> ChangeReport:
    """Writes the photos that were not removed as one segment."""
    former = read_state(change.folder, change.manifest)
    alive = former.alive_rows
    manifest = replace(
        manifest, segments=(), removed_file=None, removed=None, num_removed=0
    )
    if len(alive):
        manifest = with_segment(
            Transaction(change.folder, manifest),
            (),
            SelectedDescriptors(former.descriptors, alive),
            former.photos.take(alive),
        )
    return commit(change, manifest, recall_queries)
