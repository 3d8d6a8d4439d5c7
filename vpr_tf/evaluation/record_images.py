"""Pixels of single records, outside of an input pipeline."""

from __future__ import annotations

from collections.abc import Iterator

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


def stored_images(split: SplitIndex, record_ids: np.ndarray) -> Iterator[bytes]:
    """Yields the bytes of image files, in the order of `record_ids`.

    Raises:
        DamagedRecordError: A record is damaged.
    """
    load = RecordReader(split, record_ids)
    rows = tf.data.Dataset.range(len(record_ids))
    images = rows.map(lambda row: load(row).image, tf.data.AUTOTUNE)
    with damaged_records_named(split, lambda: record_ids.tolist()):
        yield from images.as_numpy_iterator()
