"""Compares every byte of an index folder with what was written."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from vpr_tf.atomic_files import is_leftover
from vpr_tf.place_index.index_state import IndexState
from vpr_tf.place_index.layout import MANIFEST_FILE, TUNING_FOLDER, generation_of
from vpr_tf.place_index.manifest import IndexManifest, Segment, read_manifest
from vpr_tf.place_index.segment import DESCRIPTORS_FILE, OpenSegment
from vpr_tf.stored_files import Progress
from vpr_tf.stored_paths import StoredPathError, inside
from vpr_tf.work_folder import LOCK_FILE

_NAMED_PHOTOS = 10


@dataclass(frozen=True)
class VerificationReport:
    """What `verify` found.

    Attributes:
        num_files: Files that were compared.
        num_bytes: Their size as written down.
        problems: What is wrong, by path relative to the index.
        damaged_photos: Keys of the photos whose descriptors are damaged, where only
            these are.
    """

    num_files: int
    num_bytes: int
    problems: dict[str, str]
    damaged_photos: list[str]

    @property
    def is_intact(self) -> bool:
        """Whether every file is what was written."""
        return not self.problems


def verify(folder: Path, *, progress: Progress | None = None) -> VerificationReport:
    """See `PlaceIndex.verify`."""
    manifest = read_manifest(folder)
    files = manifest.files()
    problems = {}
    for name, file in files.items():
        try:
            problem = file.problem(inside(folder, name), "sha256", progress)
        except StoredPathError:
            problem = "must not be, or lie behind, a symbolic link"
        if problem:
            problems[name] = problem
    problems |= _foreign(folder, manifest)
    if not problems:
        problems |= _repeated_keys(folder, manifest)
    damaged = [
        key
        for segment in manifest.segments
        for key in _damaged_photos(folder, manifest, segment, problems)
    ]
    num_bytes = sum(file.num_bytes for file in files.values())
    return VerificationReport(len(files), num_bytes, problems, damaged)


def _foreign(folder: Path, manifest: IndexManifest) -> dict[str, str]:
    """Finds what is not of the index; what changes left is deleted by the next one."""
    known = {*manifest.files(), MANIFEST_FILE, LOCK_FILE}
    parents = {str(one) for name in known for one in PurePosixPath(name).parents}
    problems = {}
    for root, folders, files in os.walk(folder):
        inner = []
        for name in (*folders, *files):
            path = Path(root, name)
            relative = path.relative_to(folder).as_posix()
            if path.is_symlink():
                problems[relative] = "is a symbolic link, which is not followed"
            elif relative in parents:
                inner.append(name)
            elif relative not in known and not _may_stay(relative, path):
                problems[relative] = "does not belong to the index; move it elsewhere"
        folders[:] = inner
    return problems


def _may_stay(relative: str, path: Path) -> bool:
    is_left = generation_of(relative) is not None or is_leftover(
        relative, MANIFEST_FILE
    )
    if is_left or relative == TUNING_FOLDER:
        return True
    return path.is_dir() and not any(one.is_file() for one in path.rglob("*"))


def _repeated_keys(folder: Path, manifest: IndexManifest) -> dict[str, str]:
    keys = IndexState.open(folder, manifest, searched=False).alive_photos.keys
    if len(np.unique(keys)) == len(keys):
        return {}
    return {MANIFEST_FILE: "names segments in which photos have the same key"}


def _damaged_photos(
    folder: Path, manifest: IndexManifest, entry: Segment, problems: dict[str, str]
) -> list[str]:
    damaged = {name for name in problems if name.startswith(f"{entry.folder}/")}
    if damaged != {f"{entry.folder}/{DESCRIPTORS_FILE}"}:
        return []
    try:
        segment = OpenSegment.open(folder, manifest, entry, searched=False)
        rows = segment.descriptors.damaged_rows()[:_NAMED_PHOTOS]
    except (OSError, ValueError):
        return []
    return [segment.photos.keys[row].decode() for row in rows]
