"""Photo files as a source of images."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from vpr_tf.data.errors import graph_error_reason
from vpr_tf.data.image_decoding import decode_image
from vpr_tf.data.image_source import DamagedImage, ImageLoader, ImageSource
from vpr_tf.photos import InvalidEntryError, PhotoFiles

_CHANGED = "file has changed since it was listed"


class PhotoImages(ImageSource):
    """Images of photo files, read when they are needed.

    Args:
        photos: What was found on disk.
        name: What they are, for people.
    """

    def __init__(self, photos: PhotoFiles, name: str = "photos") -> None:
        self.photos = photos
        self.name = name
        self.keys = photos.photos.keys

    def stored_sizes(
        self, rows: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """See `ImageSource`."""
        photos = self.photos
        heights, widths = photos.heights[rows], photos.widths[rows]
        return heights, widths, photos.exif_orientations[rows]

    def loader(self, rows: np.ndarray) -> ImageLoader:
        """See `ImageSource`; a file of another size than it had is an error."""
        photos = self.photos
        paths = tf.constant(photos.paths[rows], tf.string)
        sizes = tf.constant(photos.file_sizes[rows], tf.int64)
        orientations = tf.constant(photos.exif_orientations[rows].astype(np.int64))
        folder = tf.constant(f"{photos.folder}/" if str(photos.folder) != "." else "")

        def load(place: Any) -> tuple[Any, Any]:
            image_bytes = tf.io.read_file(folder + paths[place])
            length = tf.strings.length(image_bytes, "BYTE")
            same = tf.debugging.assert_equal(
                tf.cast(length, tf.int64), sizes[place], _CHANGED
            )
            with tf.control_dependencies([same]):
                return tf.identity(image_bytes), orientations[place]

        return load

    def first_damaged(self, rows: Iterable[int]) -> DamagedImage | None:
        """See `ImageSource`; the error is an `InvalidEntryError`."""
        for row in rows:
            reason = self._damage(row)
            if reason:
                return DamagedImage(int(row), InvalidEntryError(reason))
        return None

    def _damage(self, row: int) -> str:
        """Returns why a photo cannot be described, or nothing."""
        photos = self.photos
        try:
            image_bytes = Path(photos.file(row)).read_bytes()
            found = decode_image(tf.constant(image_bytes)).shape[:2].as_list()
        except OSError as error:
            return f"file cannot be read: {error.strerror}"
        except tf.errors.OpError as error:
            return f"image does not decode: {graph_error_reason(error)}"
        is_same = found == [photos.heights[row], photos.widths[row]]
        if not is_same or len(image_bytes) != photos.file_sizes[row]:
            return _CHANGED
        return ""
