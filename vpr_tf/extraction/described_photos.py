"""Photo files with their descriptors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vpr_tf.photos import PhotoFiles


@dataclass(frozen=True, eq=False)
class DescribedPhotos:
    """Photos and their descriptors.

    Attributes:
        photos: The photos that could be described; those that could not are in
            `photos.rejected`, with what was rejected before.
        descriptors: `(num_listed, descriptor_dim)`, memory-mapped or in memory.
        rows: Row of `descriptors` of each photo, int64, ascending: all of them unless
            a photo could not be read.
    """

    photos: PhotoFiles
    descriptors: np.ndarray
    rows: np.ndarray

    def in_memory(self) -> np.ndarray:
        """Returns the descriptors of `photos`, one a photo, as float32."""
        return np.asarray(self.descriptors[self.rows], np.float32)
