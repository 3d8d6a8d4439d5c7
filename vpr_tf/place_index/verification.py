"""Compares every byte of an index folder with what was written."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vpr_tf.place_index.foreign_files import foreign_files
from vpr_tf.place_index.index_state import IndexState
from vpr_tf.place_index.layout import MANIFEST_FILE, index_path
from vpr_tf.place_index.manifest import (
    IndexManifest,
    Segment,
    no_manifest,
    parse_manifest,
)
from vpr_tf.place_index.segment import DESCRIPTORS_FILE, OpenSegment
from vpr_tf.place_index.signature import SignatureError, check_signature
from vpr_tf.stored_files import Progress
from vpr_tf.stored_paths import StoredPathError, inside

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

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
        signed_by: Fingerprint of the key that signed the index; None where that was
            not compared.
    """

    num_files: int
    num_bytes: int
    problems: dict[str, str]
    damaged_photos: list[str]
    signed_by: str | None = None

    @property
    def is_intact(self) -> bool:
        """Whether every file is what was written."""
        return not self.problems


def verify(
    folder: Path,
    *,
    key: Ed25519PublicKey | None = None,
    progress: Progress | None = None,
) -> VerificationReport:
    """See `PlaceIndex.verify`."""
    path = index_path(folder, MANIFEST_FILE)
    try:
        text = path.read_bytes()
    except OSError as error:
        raise no_manifest(folder, error) from error
    manifest = parse_manifest(text, path)
    if key is None:
        return verify_state(folder, manifest, progress)
    return verify_signed(folder, text, manifest, key, progress)


def verify_signed(
    folder: Path,
    text: bytes,
    manifest: IndexManifest,
    key: Ed25519PublicKey,
    progress: Progress | None = None,
) -> VerificationReport:
    """Compares the signature of a state, then every file.

    Args:
        folder: The index.
        text: Of the manifest, the very bytes that were read as `manifest`.
        manifest: The state.
        key: Of whoever must have signed it.
        progress: See `PlaceIndex.verify`.

    Raises:
        SignatureError: It is not signed with that key.
    """
    signed_by = check_signature(folder, text, manifest, key)
    report = verify_state(folder, manifest, progress, complete=True)
    return replace(report, signed_by=signed_by)


def check_signed(
    folder: Path, text: bytes, manifest: IndexManifest, key: Ed25519PublicKey
) -> None:
    """Raises what is wrong with a signed index, see `verify_signed`.

    Raises:
        SignatureError: It is not signed with that key, or a file is not what was
            signed.
    """
    for name, problem in verify_signed(folder, text, manifest, key).problems.items():
        raise SignatureError(
            f"{folder} is not what was signed: {name} {problem}. Use a copy of what "
            "was signed."
        )


def verify_state(
    folder: Path,
    manifest: IndexManifest,
    progress: Progress | None = None,
    *,
    complete: bool = False,
) -> VerificationReport:
    """Compares every file that a manifest names, and looks for others.

    Args:
        folder: The index.
        manifest: The state.
        progress: See `PlaceIndex.verify`.
        complete: See `foreign_files`.
    """
    files = manifest.files()
    problems = {}
    for name, file in files.items():
        try:
            problem = file.problem(inside(folder, name), "sha256", progress)
        except StoredPathError:
            problem = "must not be, or lie behind, a symbolic link"
        if problem:
            problems[name] = problem
    problems |= foreign_files(folder, manifest, complete=complete)
    if not problems:
        problems |= _repeated_keys(folder, manifest)
    damaged = [
        key
        for segment in manifest.segments
        for key in _damaged_photos(folder, manifest, segment, problems)
    ]
    num_bytes = sum(file.num_bytes for file in files.values())
    return VerificationReport(len(files), num_bytes, problems, damaged)


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
