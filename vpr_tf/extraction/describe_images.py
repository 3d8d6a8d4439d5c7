"""The loop from images to descriptors, of any source into any store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from tqdm import tqdm

from vpr_tf.data.image_sources import BatchReader, DamagedImageError
from vpr_tf.extraction.engines import Forward
from vpr_tf.extraction.errors import DescriptorError, ImageSizeError
from vpr_tf.photos import PhotoFiles
from vpr_tf.printable import printable


class DescriptorStore(Protocol):
    """Where descriptors go: a `DescriptorFile`, or memory."""

    @property
    def missing_rows(self) -> np.ndarray:
        """Rows that no one has written yet, ascending."""

    def write(self, rows: np.ndarray, descriptors: np.ndarray) -> None:
        """Stores descriptors `(len(rows), descriptor_dim)` of some rows."""

    def commit(self) -> None:
        """Makes what was written survive a crash."""


class DescriptorArray:
    """Descriptors of some rows, in memory.

    Args:
        rows: Row numbers, ascending.
        descriptor_dim: Length of a descriptor.

    Attributes:
        descriptors: Float32 `(len(rows), descriptor_dim)`.
        done: Whether each was written.
    """

    def __init__(self, rows: np.ndarray, descriptor_dim: int) -> None:
        self._rows = rows
        self.descriptors = np.zeros((len(rows), descriptor_dim), np.float32)
        self.done = np.zeros(len(rows), bool)

    @property
    def missing_rows(self) -> np.ndarray:
        """See `DescriptorStore`."""
        return self._rows[~self.done]

    def write(self, rows: np.ndarray, descriptors: np.ndarray) -> None:
        """See `DescriptorStore`."""
        places = np.searchsorted(self._rows, rows)
        self.descriptors[places] = descriptors
        self.done[places] = True

    def commit(self) -> None:
        """Does nothing: memory survives no crash."""


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


def describe_images(
    forward: Forward,
    descriptor_dim: int,
    batches: BatchReader,
    store: DescriptorStore,
    *,
    skip_damaged: bool = False,
    progress: bool = True,
) -> dict[int, str]:
    """Computes the descriptors that a store misses.

    Batches are the same whether or not a former run was killed, so the bytes of the
    descriptors are, too.

    Args:
        forward: The compiled encoder.
        descriptor_dim: Length of its descriptors.
        batches: The images.
        store: Where the descriptors go, one a row of the images' source.
        skip_damaged: Goes on without images that cannot be read or that are too
            small for the encoder.
        progress: Whether to draw a progress bar.

    Returns:
        The rows that were skipped, with the reasons.

    Raises:
        DescriptorError: The encoder gave NaN, infinity or another shape.
        ValueError: An image cannot be read or decoded; its name and why.
    """
    skipped: dict[int, str] = {}
    rows, source = store.missing_rows, batches.source
    bar = tqdm(
        total=len(source),
        initial=len(source) - len(rows),
        desc=source.name,
        unit=" images",
        mininterval=0.5,
        disable=not progress,
    )
    with bar:
        while len(rows):
            damaged = _describe_rows(forward, descriptor_dim, batches, store, rows, bar)
            if not damaged:
                break
            error, bad_rows = damaged
            if not skip_damaged:
                raise error
            skipped |= dict.fromkeys(bad_rows, str(error))
            bar.update(len(bad_rows))
            rows = np.setdiff1d(store.missing_rows, list(skipped))
    return skipped


def _describe_rows(
    forward: Forward,
    descriptor_dim: int,
    batches: BatchReader,
    store: DescriptorStore,
    rows: np.ndarray,
    bar: tqdm,
) -> tuple[ValueError, list[int]] | None:
    """Describes rows up to one that is damaged, which it returns with the error."""
    described = np.empty(0, np.int64)
    try:
        for images, described in batches.iterate(rows):
            descriptors = forward(images)
            _check(descriptors, descriptor_dim, batches.source.keys, described)
            store.write(described, descriptors)
            bar.update(len(described))
    except DamagedImageError as error:
        return error.image.error, [error.image.row]
    except ImageSizeError as error:
        return error, described.tolist()
    finally:
        store.commit()
    return None


def _check(
    descriptors: np.ndarray, descriptor_dim: int, keys: np.ndarray, rows: np.ndarray
) -> None:
    shape = (len(rows), descriptor_dim)
    if descriptors.shape != shape:
        raise DescriptorError(
            f"The encoder must give descriptors of shape {shape}. "
            f"Received: {descriptors.shape}"
        )
    bad = np.flatnonzero(~np.isfinite(descriptors).all(axis=1))
    if len(bad):
        raise DescriptorError(
            "The encoder must give finite descriptors. Received: NaN or infinity for "
            f"{printable(keys[rows[bad[0]]])}. Check its weights, and the precision "
            "(mixed_float16 overflows first)."
        )
