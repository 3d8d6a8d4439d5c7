"""Batches of whole images for descriptor extraction."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from vpr_tf.config import EvaluationConfig
from vpr_tf.data.errors import first_damaged_record
from vpr_tf.data.image_decoding import (
    decode_image,
    evaluation_size,
    resize_for_evaluation,
    upright_size,
)
from vpr_tf.data.image_source import DamagedImage, ImageLoader, ImageSource
from vpr_tf.data.prepared_dataset import SplitIndex
from vpr_tf.data.record_reading import (
    RecordReader,
    checked_record_ids,
    pipeline_options,
)


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
        column = self.split.column
        heights, widths = column("height")[rows], column("width")[rows]
        return heights, widths, column("exif_orientation")[rows]

    def loader(self, rows: np.ndarray) -> ImageLoader:
        """See `ImageSource`."""
        read = RecordReader(self.split, rows)

        def load(place: Any) -> tuple[Any, Any]:
            record = read(place)
            return record.image, record.exif_orientation

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


def evaluation_batches(
    split: SplitIndex,
    config: EvaluationConfig,
    record_ids: np.ndarray | None = None,
) -> tf.data.Dataset:
    """Returns every image once, upright and resized, in batches of one size.

    Args:
        split: Record index of the database or the queries.
        config: `resize`, `image_size` and `batch_size`.
        record_ids: Records to read, e.g. those that remain; None for all.

    Returns:
        Elements `(images, record_ids)`: float32 in [0, 1] of shape
        `(batch, height, width, 3)`, and int64 `(batch,)`. Batches are ordered by
        image size, then by `record_ids`; a batch that is not full is the last of
        its size.

    Raises:
        ValueError: A record id is not in the split.
    """
    if record_ids is None:
        record_ids = np.arange(len(split))
    record_ids = checked_record_ids(split, record_ids)
    return image_batches(SplitImages(split), config, record_ids)


def planned_batches(
    source: ImageSource, config: EvaluationConfig, rows: np.ndarray
) -> BatchPlan:
    """Plans the batches of `image_batches`; their order is the order of reading."""
    sizes = _final_sizes(source, config, rows)
    return plan_batches(rows, *sizes, config.batch_size)


def image_batches(
    source: ImageSource, config: EvaluationConfig, rows: np.ndarray
) -> tf.data.Dataset:
    """Returns images of any source; see `evaluation_batches`.

    Args:
        source: The images.
        config: `resize`, `image_size` and `batch_size`.
        rows: Which ones, row numbers.
    """
    plan = planned_batches(source, config, rows)
    load = source.loader(plan.record_ids)
    ids, batch_ids = tf.constant(plan.record_ids), tf.constant(plan.batch_ids)
    batch_sizes = tf.constant(plan.batch_sizes)

    def load_image(row: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        image = decode_image(*load(row))
        return resize_for_evaluation(image, config), ids[row], batch_ids[row]

    num_threads = os.cpu_count() or 1
    return (
        tf.data.Dataset.range(len(plan.record_ids))
        # More than the threads: images are made ahead while a batch is put together.
        .map(load_image, num_parallel_calls=4 * num_threads)
        .group_by_window(
            key_func=lambda image, record_id, batch_id: batch_id,
            reduce_func=lambda batch_id, window: window.batch(config.batch_size),
            window_size_func=lambda batch_id: batch_sizes[batch_id],
        )
        .map(lambda images, record_ids, batch_id: (images, record_ids))
        .prefetch(2)
        .with_options(pipeline_options(num_threads))
    )


def _final_sizes(
    source: ImageSource, config: EvaluationConfig, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns heights and widths of the images as they are evaluated."""
    heights, widths, orientations = source.stored_sizes(rows)
    height, width = upright_size(
        heights.astype(np.int64), widths.astype(np.int64), orientations
    )
    return evaluation_size(height.numpy(), width.numpy(), config)
