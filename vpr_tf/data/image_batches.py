"""Batches of whole images, of a split or another source, to compute descriptors of."""

from __future__ import annotations

import abc
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from vpr_tf.config import Preprocessing
from vpr_tf.data.image_decoding import (
    decode_image,
    evaluation_size,
    resize_for_evaluation,
    upright_size,
)
from vpr_tf.data.prepared_dataset import SplitIndex
from vpr_tf.data.record_reading import (
    DamagedImage,
    RecordReader,
    checked_record_ids,
    first_damaged_record,
    pipeline_options,
)

# Of decoded images that are read at a time: 7 of the most pixels that a photo may have.
_MOST_DECODED_BYTES = 2 << 30

# Inside the function of a `tf.data.Dataset.map`: from a place in the list of rows to
# the upright image `(height, width, 3)`, in grey levels from 0 to 255.
ImageLoader = Callable[[Any], Any]


class ImageSource(abc.ABC):
    """Images that are read in any order by their row numbers.

    Attributes:
        name: What they are, for people.
        keys: Name of each image, UTF-8 bytes.
    """

    name: str
    keys: np.ndarray

    def __len__(self) -> int:
        """Number of images."""
        return len(self.keys)

    @abc.abstractmethod
    def stored_sizes(
        self, rows: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns heights and widths of the stored pixels, and EXIF orientations."""

    @abc.abstractmethod
    def loader(self, rows: np.ndarray) -> ImageLoader:
        """Returns what reads the listed images, int64 row numbers, in a graph."""

    @abc.abstractmethod
    def first_damaged(self, rows: Iterable[int]) -> DamagedImage | None:
        """Reads images one by one, outside of a graph, up to one that cannot be."""


class SplitImages(ImageSource):
    """Images of the records of a split; a row is a record id.

    Args:
        split: The record index.
    """

    def __init__(self, split: SplitIndex) -> None:
        self.split = split
        self.name = split.name
        self.keys = split.keys

    def stored_sizes(
        self, rows: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """See `ImageSource`."""
        column, rows = self.split.column, checked_record_ids(self.split, rows)
        heights, widths = column("height")[rows], column("width")[rows]
        return heights, widths, column("exif_orientation")[rows]

    def loader(self, rows: np.ndarray) -> ImageLoader:
        """See `ImageSource`."""
        read = RecordReader(self.split, rows)

        def load(place: Any) -> Any:
            record = read(place)
            return decode_image(record.image, record.exif_orientation)

        return load

    def first_damaged(self, rows: Iterable[int]) -> DamagedImage | None:
        """See `ImageSource`; the error is a `DamagedRecordError`."""
        return first_damaged_record(self.split, rows)


class BatchPlan(NamedTuple):
    """Records in reading order, cut into batches of one image size each.

    Attributes:
        record_ids: int64 `(num_records,)`.
        batch_ids: Batch of each record, int64, not decreasing.
        batch_sizes: Records of each batch, int64 `(num_batches,)`.
    """

    record_ids: np.ndarray
    batch_ids: np.ndarray
    batch_sizes: np.ndarray


def plan_batches(
    record_ids: np.ndarray, heights: np.ndarray, widths: np.ndarray, batch_size: int
) -> BatchPlan:
    """Groups records of equal size, in their order, into batches.

    Every batch is full but the last of each size. Vectorised: a million records take
    a fraction of a second.

    Args:
        record_ids: `(num_records,)`.
        heights: Final height of each record's image.
        widths: Final width.
        batch_size: Records of a full batch.
    """
    record_ids = np.asarray(record_ids, np.int64)
    sizes = heights.astype(np.int64) << 32 | widths.astype(np.int64)
    order = np.argsort(sizes, kind="stable")
    _, counts = np.unique(sizes, return_counts=True)
    batches_per_size = -(-counts // batch_size)
    batch_sizes = np.full(batches_per_size.sum(), batch_size, np.int64)
    last_of_size = np.cumsum(batches_per_size) - 1
    batch_sizes[last_of_size] = counts - (batches_per_size - 1) * batch_size
    batch_ids = np.repeat(np.arange(len(batch_sizes), dtype=np.int64), batch_sizes)
    return BatchPlan(record_ids[order], batch_ids, batch_sizes)


@dataclass(frozen=True, eq=False)
class ImageBatches:
    """Images of a source, upright and resized, in batches of one size.

    Attributes:
        source: The images.
        preprocessing: Resize and size.
        batch_size: Images of a full batch.
    """

    source: ImageSource
    preprocessing: Preprocessing
    batch_size: int = 16

    def _images_at_a_time(self, rows: np.ndarray) -> int:
        """Returns how many images may be decoded at once."""
        heights, widths, _ = self.source.stored_sizes(rows)
        pixels = heights.astype(np.int64) * widths
        largest = 3 * int(pixels.max(initial=1))
        # More than the threads: images are made ahead while a batch is put together.
        wanted = 4 * (os.cpu_count() or 1)
        return max(1, min(wanted, _MOST_DECODED_BYTES // largest))

    def plan(self, rows: np.ndarray) -> BatchPlan:
        """Plans the batches of `read`; their order is the order of reading."""
        heights, widths, orientations = self.source.stored_sizes(rows)
        height, width = upright_size(
            heights.astype(np.int64), widths.astype(np.int64), orientations
        )
        sizes = evaluation_size(height.numpy(), width.numpy(), self.preprocessing)
        return plan_batches(rows, *sizes, self.batch_size)

    def read(self, rows: np.ndarray | None = None) -> tf.data.Dataset:
        """Returns every image once.

        Args:
            rows: Which images, e.g. those that remain; None for all.

        Returns:
            Elements `(images, rows)`: float32 in [0, 1] of shape
            `(batch, height, width, 3)`, and int64 `(batch,)`. Batches are ordered by
            image size, then by `rows`; a batch that is not full is the last of its
            size.

        Raises:
            ValueError: A row is not in the source.
        """
        plan = self.plan(np.arange(len(self.source)) if rows is None else rows)
        load = self.source.loader(plan.record_ids)
        ids, batch_ids = tf.constant(plan.record_ids), tf.constant(plan.batch_ids)
        batch_sizes = tf.constant(plan.batch_sizes)

        def load_image(row: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            image = resize_for_evaluation(load(row), self.preprocessing)
            return image, ids[row], batch_ids[row]

        parallel = self._images_at_a_time(plan.record_ids)
        return (
            tf.data.Dataset.range(len(plan.record_ids))
            .map(load_image, num_parallel_calls=parallel)
            .group_by_window(
                key_func=lambda image, record_id, batch_id: batch_id,
                reduce_func=lambda batch_id, window: window.batch(self.batch_size),
                window_size_func=lambda batch_id: batch_sizes[batch_id],
            )
            .map(lambda images, record_ids, batch_id: (images, record_ids))
            .prefetch(2)
            .with_options(pipeline_options(os.cpu_count() or 1))
        )
