"""Pixels of single records, outside of an input pipeline."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from vpr_tf.data.image_decoding import decode_image
from vpr_tf.data.prepared_dataset import SplitIndex
from vpr_tf.data.record_reading import RecordReader, damaged_records_named


def read_image(split: SplitIndex, record_id: int) -> np.ndarray:
    """Returns one image as people see it, its EXIF orientation applied.

    Args:
        split: Index of the split.
        record_id: Row of the index.

    Returns:
        RGB uint8 `(height, width, 3)`.

    Raises:
        DamagedRecordError: The record or its image is damaged.
    """
    with damaged_records_named(split, lambda: [record_id]):
        load = RecordReader(split, np.array([record_id]))
        record = load(tf.constant(0, tf.int64))
        return decode_image(record.image, record.exif_orientation).numpy()
