"""The records of a split as a source of images."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from vpr_tf.data.errors import first_damaged_record
from vpr_tf.data.image_decoding import decode_image
from vpr_tf.data.image_source import DamagedImage, ImageLoader, ImageSource
from vpr_tf.data.prepared_dataset import SplitIndex
from vpr_tf.data.record_reading import RecordReader, checked_record_ids


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
            return decode_image(record["image"], record["exif_orientation"])

        return load

    def first_damaged(self, rows: Iterable[int]) -> DamagedImage | None:
        """See `ImageSource`; the error is a `DamagedRecordError`."""
        return first_damaged_record(self.split, rows)
