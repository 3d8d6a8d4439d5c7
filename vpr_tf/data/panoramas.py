"""Crops of panoramas that look at the focal point of a class.

A panorama goes once around, its middle column looks at its heading, and columns go
clockwise. A crop is a square as high as the panorama; it may reach over the seam.

Reference:
    Berton et al., EigenPlaces: Training Viewpoint Robust Models for Visual Place
    Recognition, ICCV 2023, arXiv:2308.10832.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from vpr_tf.data.image_decoding import decode_crop
from vpr_tf.data.partition import Partition
from vpr_tf.data.prepared_dataset import DatasetError, SplitIndex
from vpr_tf.data.records import EncodedImage
from vpr_tf.geo import bearings_deg

_TURN_DEG = 360


def crop_lefts(
    heading_deg: np.ndarray,
    bearing_deg: np.ndarray,
    height: np.ndarray,
    width: np.ndarray,
) -> np.ndarray:
    """Returns the first column of the crops that look in given directions.

    Args:
        heading_deg: Of the middle columns of panoramas.
        bearing_deg: Where the crops look, clockwise from north.
        height: Of the panoramas, pixels.
        width: Likewise.

    Returns:
        Int64, 0 to `width` - 1; whole pixels as in the official code.
    """
    north = ((_TURN_DEG / 2 - heading_deg) % _TURN_DEG / _TURN_DEG * width).astype(int)
    offset = (bearing_deg % _TURN_DEG / _TURN_DEG * width).astype(int)
    lefts = north + offset - np.asarray(height, np.int64) // 2
    return np.asarray(lefts % width)


class FocalCrops:
    """Cuts the panoramas of a group towards the focal points of their classes.

    Args:
        split: The record index.
        partition: Of panoramas, with focal points.
        group_id: The group.

    Raises:
        DatasetError: A photo is no panorama.
    """

    def __init__(self, split: SplitIndex, partition: Partition, group_id: int) -> None:
        points = partition.focal_points
        if points is None:
            raise ValueError(f"The partition {partition.name!r} has no focal points.")
        classes = partition.classes_of_group(group_id)
        offsets = partition.class_offsets[classes.start : classes.stop + 1]
        records = partition.record_ids[offsets[0] : offsets[-1]]
        towards = np.repeat(points[classes.start : classes.stop], np.diff(offsets), 0)
        height, width = (
            np.asarray(split.column(name)[records]) for name in ("height", "width")
        )
        turned = split.column("exif_orientation")[records] > 1
        wrong = np.flatnonzero((width < 2 * height) | turned)
        if len(wrong):
            first = wrong[0]
            key = split.keys[records[first]].decode()
            raise DatasetError(
                "`build.partition.photos: panoramas` needs upright panoramas, at least "
                f"twice as wide as high. Received: {key}, {width[first]} x "
                f"{height[first]} pixels, and {len(wrong) - 1:,} more like it. Use a "
                "partition with `photos: crops`."
            )
        bearings = bearings_deg(split.utm_m[records], towards)
        headings = np.asarray(split.column("heading_deg")[records], np.float64)
        lefts = crop_lefts(headings, bearings, height, width)
        self._lefts = tf.constant(lefts, tf.int32)

    def __call__(self, record: EncodedImage, row: tf.Tensor) -> tf.Tensor:
        """Decodes the crop of a record; see `ClassSampler.record_ids` for `row`.

        Returns:
            uint8 `(height, height, 3)`.
        """
        side = tf.cast(record.height, tf.int32)
        left = self._lefts[row]
        before = tf.minimum(tf.cast(record.width, tf.int32) - left, side)
        first = decode_crop(record.image, tf.stack([0, left, side, before]))

        def over_the_seam() -> tf.Tensor:
            window = tf.stack([0, 0, side, side - before])
            return tf.concat([first, decode_crop(record.image, window)], axis=1)

        return tf.cond(before < side, over_the_seam, lambda: first)
