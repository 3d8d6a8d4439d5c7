"""Descriptors of photo files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vpr_tf.config import EvaluationConfig
from vpr_tf.extraction.compiled_encoders import compiled_encoder, encoder_for_few
from vpr_tf.extraction.descriptor_file import DescriptorFile
from vpr_tf.extraction.descriptors import preparation
from vpr_tf.extraction.encoders import Encoder
from vpr_tf.extraction.encoders import encoder_fingerprint as fingerprint_of
from vpr_tf.extraction.image_descriptors import DescriptorArray, describe_images
from vpr_tf.extraction.photo_images import PhotoImages
from vpr_tf.models.precision import in_precision
from vpr_tf.photos import PhotoFiles, RejectedPhoto

_FEW_PHOTOS = 32


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


def describe_photos(
    encoder: Encoder,
    photos: PhotoFiles,
    config: EvaluationConfig,
    *,
    encoder_fingerprint: str | None = None,
    folder: str | Path | None = None,
    dtype: str = "float32",
    name: str = "photos",
    progress: bool = True,
) -> DescribedPhotos:
    """Computes the descriptors of photo files, or what a former run left to do.

    Images are prepared as those of a prepared dataset are. A photo that cannot be
    decoded, has changed since it was listed, or is too small for the encoder is
    rejected, and the others go on.

    Args:
        encoder: The encoder, in any precision.
        photos: What `scan_photos` or `scan_named_photos` found.
        config: Resize, batch size and precision.
        encoder_fingerprint: Identity of the encoder; None computes it.
        folder: Folder for the descriptors, see `DescriptorFile`; None for memory.
        dtype: `float32` or `float16`, of the descriptors in the folder.
        name: What the photos are, for the progress bar.
        progress: Whether to draw a progress bar.

    Raises:
        DescriptorError: The encoder gave NaN, infinity or another shape.
    """
    fingerprint = encoder_fingerprint or fingerprint_of(encoder)
    dim = encoder.descriptor_dim
    store: DescriptorArray | DescriptorFile
    if folder is None or not len(photos):
        store = DescriptorArray(np.arange(len(photos)), dim)
    else:
        source = {"format_version": 1, "photos": photos.identity()}
        source |= preparation(config, fingerprint)
        store = DescriptorFile(folder, source, len(photos), dim, dtype)
    skipped: dict[int, str] = {}
    if len(store.missing_rows):
        encoder = in_precision(encoder, config.precision)
        are_few = folder is None and len(photos) <= _FEW_PHOTOS
        compiled = encoder_for_few if are_few else compiled_encoder
        skipped = describe_images(
            compiled(encoder, config.precision, fingerprint),
            dim,
            PhotoImages(photos, name),
            config,
            store,
            skip_damaged=True,
            progress=progress,
        )
    rows = np.flatnonzero(store.done)
    rejected = [
        RejectedPhoto(photos.paths[row].decode(), reason)
        for row, reason in sorted(skipped.items())
    ]
    described = photos.take(rows).with_rejected(rejected)
    return DescribedPhotos(described, store.descriptors, rows)
