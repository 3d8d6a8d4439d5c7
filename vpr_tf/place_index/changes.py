"""Adding and removing photos of an index folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from vpr_tf.photos.photo_table import PhotoTable
from vpr_tf.place_index.manifest import IndexManifest
from vpr_tf.place_index.next_state import (
    ChangeReport,
    check_photos,
    commit,
    with_removed,
    with_segment,
)
from vpr_tf.place_index.recall import RECALL_QUERIES
from vpr_tf.place_index.stored_state import read_state
from vpr_tf.place_index.transaction import transaction
from vpr_tf.search import Descriptors, RetrievalError

_NAMES_IN_MESSAGES = 5


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
        former = read_state(change.folder, change.manifest)
        check_photos(descriptors, photos, change.manifest.descriptor_dim)
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
        manifest = with_segment(change, former.stored_segments, descriptors, photos)
        manifest = with_removed(change, manifest, removed)
        return commit(change, manifest, recall_queries)


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
        former = read_state(change.folder, change.manifest)
        rows, found = former.find_alive(wanted)
        unknown = np.delete(wanted, found)
        if len(unknown):
            raise RetrievalError(
                f"The index {folder} has no photos of {len(unknown)} of these keys: "
                f"{_names(unknown)}. Nothing was removed."
            )
        removed = np.union1d(former.removed, rows)
        manifest = with_removed(change, change.manifest, removed)
        return commit(change, manifest, recall_queries)


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


def _names(keys: np.ndarray) -> str:
    names = [key.decode(errors="replace") for key in keys[:_NAMES_IN_MESSAGES]]
    return ", ".join(names) + (", ..." if len(keys) > len(names) else "")
