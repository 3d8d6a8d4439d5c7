"""Compares every byte of an index folder with what was written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vpr_tf.place_index.manifest import (
    IndexManifest,
    Segment,
    check_file,
    read_manifest,
)
from vpr_tf.place_index.photo_columns import read_photos
from vpr_tf.place_index.segment import (
    DESCRIPTORS_FILE,
    PHOTOS_FOLDER,
    open_descriptors,
)
from vpr_tf.stored_files import Progress

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
        problem = file.problem(folder / name, "sha256", progress)
        if problem:
            problems[name] = problem
    damaged = [
        key
        for segment in manifest.segments
        for key in _damaged_photos(folder, manifest, segment, problems)
    ]
    num_bytes = sum(file.num_bytes for file in files.values())
    return VerificationReport(len(files), num_bytes, problems, damaged)


def _damaged_photos(
    folder: Path,
    manifest: IndexManifest,
    segment: Segment,
    problems: dict[str, str],
) -> list[str]:
    own = {name for name in problems if name.startswith(f"{segment.folder}/")}
    if own != {f"{segment.folder}/{DESCRIPTORS_FILE}"}:
        return []
    path = folder / segment.folder
    shape = (segment.num_rows, manifest.descriptor_dim)
    try:
        check_file(
            path / DESCRIPTORS_FILE, segment.files[DESCRIPTORS_FILE], size_only=True
        )
        photos = read_photos(path / PHOTOS_FOLDER)
        descriptors = open_descriptors(path, shape, manifest.dtype, photos)
        rows = descriptors.damaged_rows()
    except (OSError, ValueError):
        return []
    keys = photos.keys[np.array(rows[:_NAMED_PHOTOS], np.int64)]
    return [key.decode() for key in keys]
