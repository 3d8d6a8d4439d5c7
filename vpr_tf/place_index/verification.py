"""Compares every byte of an index folder with what was written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vpr_tf.place_index.manifest import IndexManifest, Segment, read_manifest
from vpr_tf.place_index.segment import DESCRIPTORS_FILE, OpenSegment
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
