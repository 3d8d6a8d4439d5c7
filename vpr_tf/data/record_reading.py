"""Random access to the records of a split inside the tf.data graph."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from vpr_tf.data.prepared_dataset import SplitIndex
from vpr_tf.data.records import FRAME_BYTES, EncodedImage, parse_image


class RecordReader:
    """Reads records by their place in a list of record ids.

    Only the places of the listed records are held in memory.

    Args:
        split: The record index.
        record_ids: Records to read, positions in the index, shape `(num_rows,)`.

    Raises:
        ValueError: A record id is not in the split.
    """

    def __init__(self, split: SplitIndex, record_ids: np.ndarray) -> None:
        record_ids = checked_record_ids(split, record_ids)
        self._paths = tf.constant(split.shard_paths, tf.string)
        self._shards = tf.constant(split.column("shard")[record_ids])
        self._offsets = tf.constant(split.column("byte_offset")[record_ids])
        self._lengths = tf.constant(split.column("length")[record_ids])

    def __call__(self, row: tf.Tensor) -> EncodedImage:
        """Returns the image of the record at `row`, a scalar int64.

        Runs inside the function of a `tf.data.Dataset.map`.
        """
        variant = tf.raw_ops.TFRecordDatasetV2(
            filenames=[self._paths[self._shards[row]]],
            compression_type="",
            # The whole record in one read, also from remote file systems.
            buffer_size=self._lengths[row] + FRAME_BYTES,
            byte_offsets=[self._offsets[row]],
        )
        records = tf.data.experimental.from_variant(
            variant, tf.TensorSpec([], tf.string)
        )
        return parse_image(records.take(1).get_single_element())


def checked_record_ids(split: SplitIndex, record_ids: np.ndarray) -> np.ndarray:
    """Returns record ids as int64.

    Raises:
        ValueError: A record id is not in the split.
    """
    record_ids = np.asarray(record_ids, np.int64)
    if record_ids.size and not 0 <= record_ids.min() <= record_ids.max() < len(split):
        raise ValueError(
            f"`record_ids` must be in [0, {len(split)}), the records of split "
            f"{split.name!r}. Received values from {record_ids.min()} to "
            f"{record_ids.max()}."
        )
    return record_ids


def pipeline_options(num_threads: int) -> Any:
    """Returns options of pipelines that work image by image.

    Parallelism is over images, never inside one, in a thread pool of their own, and
    the order of elements is fixed.
    """
    options = tf.data.Options()
    options.deterministic = True
    options.threading.private_threadpool_size = num_threads
    options.threading.max_intra_op_parallelism = 1
    return options
