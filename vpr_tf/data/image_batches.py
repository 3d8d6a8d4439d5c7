"""Batches of whole images, of a split or another source, to compute descriptors of."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from vpr_tf.data.image_decoding import decode_image, resize_for_evaluation
from vpr_tf.data.image_sources import (
    FIRST_FILES,
    BatchReader,
    DamagedImage,
    DamagedImageError,
    EncodedSource,
    ImageLoader,
    ImageSource,
)
from vpr_tf.data.prepared_dataset import SplitIndex
from vpr_tf.data.record_reading import (
    RecordReader,
    checked_record_ids,
    first_damaged_record,
    pipeline_options,
)
from vpr_tf.data.records import EncodedImage


def decoded(read: Callable[[Any], EncodedImage]) -> ImageLoader:
    """Returns what decodes images that are read, upright."""

    def load(place: Any) -> Any:
        record = read(place)
        return decode_image(record.image, record.exif_orientation)

    return load


class SplitImages(EncodedSource):
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
        return decoded(self.encoded_loader(rows))

    def encoded_loader(self, rows: np.ndarray) -> RecordReader:
        """See `EncodedSource`."""
        return RecordReader(self.split, rows)

    def __reduce__(self) -> tuple[Any, ...]:
        """Leaves the keys out, of which there is one an image."""
        return SplitImages, (self.split,)

    def part(self, rows: np.ndarray) -> tuple[ImageSource, np.ndarray]:
        """See `ImageSource`: the split, whose columns are read there."""
        return self, rows

    @property
    def first_files(self) -> list[Path]:
        """See `ImageSource`."""
        return [Path(path) for path in self.split.shard_paths[:FIRST_FILES]]

    def first_damaged(self, rows: Iterable[int]) -> DamagedImage | None:
        """See `ImageSource`; the error is a `DamagedRecordError`."""
        return first_damaged_record(self.split, rows)


@dataclass(frozen=True, eq=False)
class ImageBatches(BatchReader):
    """Images as tensors, read by tf.data; see `BatchReader`."""

    def iterate(self, rows: np.ndarray) -> Iterator[tuple[tf.Tensor, np.ndarray]]:
        """See `BatchReader`."""
        unread = self.plan(rows).record_ids
        try:
            for images, batch_rows in self.read(rows):
                yield images, batch_rows.numpy()
                unread = unread[len(batch_rows) :]
        except tf.errors.OpError as error:
            damaged = self.source.first_damaged(unread)
            if damaged is None:
                raise  # not the fault of an image
            raise DamagedImageError(damaged) from error

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

        parallel = self.images_at_a_time(plan.record_ids)
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
