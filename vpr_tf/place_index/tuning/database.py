"""The descriptors of an index folder, without its search structure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from vpr_tf.place_index.joined import SelectedDescriptors
from vpr_tf.place_index.manifest import IndexManifest, read_manifest
from vpr_tf.place_index.stored_state import read_state
from vpr_tf.search import Descriptors, RetrievalError


@dataclass(frozen=True, eq=False)
class TunedDatabase:
    """What a search structure is built of.

    Attributes:
        folder: The index.
        manifest: Its state.
        descriptors: Of the photos that were not removed.
    """

    folder: Path
    manifest: IndexManifest
    descriptors: Descriptors

    @classmethod
    def open(cls, folder: Path, generation: int | None = None) -> TunedDatabase:
        """Opens an index folder.

        Args:
            folder: The index.
            generation: That it must have; None for any.

        Raises:
            IndexMismatchError: There is no index, or it is damaged.
            RetrievalError: The index was changed, or holds nothing.
        """
        manifest = read_manifest(folder)
        if generation not in (None, manifest.generation):
            raise RetrievalError(
                f"The index {folder} was changed while it was tuned. Tune it again."
            )
        if not manifest.num_photos:
            raise RetrievalError(f"The index {folder} holds no photos. Add some first.")
        state = read_state(folder, manifest)
        if len(state.stored_segments) == 1 and not len(state.removed):
            return cls(folder, manifest, state.stored_segments[0].descriptors)
        # Rows of several files are read a little slower than those of one.
        alive = SelectedDescriptors(state.descriptors, state.alive_rows)
        return cls(folder, manifest, alive)

    @property
    def fingerprint(self) -> str:
        """Of the descriptors, whatever the search structure is."""
        digest = hashlib.sha256()
        for segment in self.manifest.segments:
            digest.update(segment.files["descriptors.npy"].sha256.encode())
        if self.manifest.removed is not None:
            digest.update(self.manifest.removed.sha256.encode())
        return digest.hexdigest()
