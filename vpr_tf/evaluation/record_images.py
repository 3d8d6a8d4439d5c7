"""Pixels of single records, outside of an input pipeline."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from vpr_tf.data.image_decoding import decode_image
from vpr_tf.data.prepared_dataset import SplitIndex
from vpr_tf.data.record_reading import RecordReader
from vpr_tf.evaluation.errors import DamagedRecordError


def read_image(split: SplitIndex, record_id: int) -> np.ndarray:
    """Returns one image as people see it, its EXIF orientation applied.

    Args:
        split: Index of the split.
        record_id: Row of the index.

    Returns:
        RGB uint8 `(height, width, 3)`.

    Raises:
        DamagedRecordError: The record or its image is damaged; the message names the
            shard and the offset.
    """
    try:
        load = RecordReader(split, np.array([record_id]))
        record = load(tf.constant(0, tf.int64))
        return decode_image(record["image"], record["exif_orientation"]).numpy()
    except tf.errors.OpError as error:
        shard = split.shard_paths[int(split.column("shard")[record_id])]
        raise DamagedRecordError(
            f"The image {split.keys[record_id].decode()} cannot be read from {shard} "
            f"at byte {int(split.column('byte_offset')[record_id])}: "
            f"{error.message.splitlines()[0]}. Build the dataset again."
        ) from error


def raise_for_damaged_record(split: SplitIndex, record_ids: np.ndarray) -> None:
    """Reads records one by one and raises for the first that is damaged.

    Raises:
        DamagedRecordError: See `read_image`.
    """
    for record_id in record_ids:
        read_image(split, int(record_id))
