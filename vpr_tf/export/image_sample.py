"""The images that an export is compared with Keras on, and calibrated on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from vpr_tf.config import Preprocessing
from vpr_tf.data.image_batches import ImageBatches, ImageSource
from vpr_tf.extraction.photo_sources import GivenPhotos

_NOISE_SHAPE = (480, 640, 3)


@dataclass(frozen=True, eq=False)
class ImageSample:
    """Some images of a source, prepared for an encoder; read anew each time.

    Attributes:
        source: The images.
        rows: Which of them, int64.
        preprocessing: How they are prepared.
        text: Which they are, for people.
        batch_size: Images of one size that are yielded together.
    """

    source: ImageSource
    rows: np.ndarray
    preprocessing: Preprocessing
    text: str
    batch_size: int = 1

    def __len__(self) -> int:
        """Number of images."""
        return len(self.rows)

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yields float32 `(batch, height, width, 3)` in [0, 1].

        Raises:
            ValueError: An image cannot be read; its name and why.
        """
        batches = ImageBatches(self.source, self.preprocessing, self.batch_size)
        try:
            for images, _ in batches.read(self.rows):
                yield np.asarray(images)
        except tf.errors.OpError:
            damaged = self.source.first_damaged(self.rows)
            if damaged is None:
                raise
            raise damaged.error from None

    def sha256(self) -> str:
        """Returns a hash of the prepared pixels, in their order."""
        digest = hashlib.sha256()
        for images in self:
            digest.update(images.tobytes())
        return digest.hexdigest()


def sample_of(
    source: ImageSource,
    count: int,
    preprocessing: Preprocessing,
    seed: int,
    batch_size: int = 1,
) -> ImageSample:
    """Draws images of a source, the same for a seed; all where there are no more.

    Args:
        source: The images.
        count: How many are wanted.
        preprocessing: How they are prepared.
        seed: Of the draw.
        batch_size: See `ImageSample`.
    """
    drawn = np.random.default_rng(seed).permutation(len(source))[:count]
    text = f"{len(drawn)} of the {len(source):,} images of {source.name}, seed {seed}"
    return ImageSample(source, np.sort(drawn), preprocessing, text, batch_size)


def noise(
    count: int, preprocessing: Preprocessing, seed: int, batch_size: int = 1
) -> ImageSample:
    """Draws images of noise, for whoever has no photos; see `sample_of`."""
    rng = np.random.default_rng(seed)
    images = [rng.integers(0, 256, _NOISE_SHAPE, np.uint8) for _ in range(count)]
    text = f"{count} images of noise, seed {seed}: no photos were given"
    source = GivenPhotos(images)
    return ImageSample(source, np.arange(count), preprocessing, text, batch_size)
