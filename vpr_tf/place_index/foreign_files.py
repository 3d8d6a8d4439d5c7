"""Finds what lies in an index folder and is not of the index."""

from __future__ import annotations

import os
from pathlib import Path

from vpr_tf.atomic_files import is_leftover
from vpr_tf.place_index.layout import (
    MANIFEST_FILE,
    SIGNATURE_FILE,
    TUNING_FOLDER,
    generation_of,
)
from vpr_tf.place_index.manifest import IndexManifest
from vpr_tf.work_folder import LOCK_FILE


def foreign_files(
    folder: Path, manifest: IndexManifest, *, complete: bool = False
) -> dict[str, str]:
    """Returns what does not belong to an index, and why; no link is followed.

    Args:
        folder: The index.
        manifest: Its state.
        complete: Whether that is all that the manifest does not name; else results of
            tuning and what an interrupted change left, which the next one deletes, are
            no problem.

    Returns:
        By path relative to the index.
    """
    known = {*manifest.files(), MANIFEST_FILE, SIGNATURE_FILE, LOCK_FILE}
    opened = {segment.folder for segment in manifest.segments}
    found = {}
    for place, folders, files in os.walk(folder):
        entered = []
        for name in (*folders, *files):
            path = Path(place, name)
            relative = path.relative_to(folder).as_posix()
            if path.is_symlink():
                found[relative] = "is a symbolic link, which does not belong there"
            elif not complete and relative not in opened and _may_stay(relative):
                continue
            elif name in folders:
                entered.append(name)
            elif relative not in known:
                found[relative] = "does not belong to the index; move it elsewhere"
        folders[:] = entered
    return dict(sorted(found.items()))


def _may_stay(relative: str) -> bool:
    is_left = is_leftover(relative, MANIFEST_FILE) or is_leftover(
        relative, SIGNATURE_FILE
    )
    return is_left or relative == TUNING_FOLDER or generation_of(relative) is not None
