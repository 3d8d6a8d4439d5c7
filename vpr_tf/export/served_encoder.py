"""The encoder together with the preparation of its images."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from vpr_tf.config import Preprocessing
from vpr_tf.export.served_inputs import (
    IMAGE_BYTES,
    IMAGES,
    checked_files,
    checked_images,
    read_images,
    require_all,
)


class ServedEncoder:
    """From encoded or decoded images to descriptors, in one graph.

    Images are prepared as in evaluation, but for the EXIF orientation, which is the
    client's business: the graph sees the stored pixels.

    Args:
        encoder: A `GeoLocalizationNet` that computes in float32.
        preprocessing: `resize` and `image_size`.
    """

    def __init__(self, encoder: Any, preprocessing: Preprocessing) -> None:
        self._encoder = encoder
        self._preprocessing = preprocessing

    @tf.function(input_signature=IMAGE_BYTES)
    def from_bytes(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        """Describes JPEG or PNG files.

        Args:
            image_bytes: Strings of shape `(batch,)`; sizes may differ.

        Returns:
            `descriptors`, float32 `(batch, descriptor_dim)`.

        Raises:
            tf.errors.InvalidArgumentError: A file cannot be read; all such are named.
        """
        described = self._read_and_describe(image_bytes)
        with tf.control_dependencies([require_all(described["is_valid"])]):
            return {"descriptors": tf.identity(described["descriptors"])}

    @tf.function(input_signature=IMAGE_BYTES)
    def flagged(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        """Describes the files that can be read, and says which these are.

        Args:
            image_bytes: Strings of shape `(batch,)`; sizes may differ.

        Returns:
            `descriptors`, float32 `(batch, descriptor_dim)`, zeros where `is_valid`,
            bool `(batch,)`, is False.
        """
        return self._read_and_describe(image_bytes)

    @tf.function(input_signature=IMAGES)
    def from_images(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """Describes RGB images in [0, 1] as they are, without a resize.

        Args:
            images: Float32 `(batch, height, width, 3)`.

        Returns:
            `descriptors`, float32 `(batch, descriptor_dim)`.

        Raises:
            tf.errors.InvalidArgumentError: See `checked_images`.
        """
        return {"descriptors": self._encode(checked_images(images))}

    def _read_and_describe(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        """See `flagged`."""
        files = checked_files(image_bytes)
        if self._preprocessing.resize == "square":
            return self._describe(files, self._preprocessing.image_size)

        # Sizes differ from image to image: a batch would be padded to the largest.
        def describe(file: tf.Tensor) -> dict[str, tf.Tensor]:
            described = self._describe(file[tf.newaxis])
            return {name: value[0] for name, value in described.items()}

        spec = {
            "descriptors": tf.TensorSpec((self._encoder.descriptor_dim,), tf.float32),
            "is_valid": tf.TensorSpec((), tf.bool),
        }
        return tf.map_fn(describe, files, fn_output_signature=spec)

    def _describe(self, files: tf.Tensor, size: int | None = None) -> dict[str, Any]:
        read = read_images(files, self._preprocessing)
        num_files = tf.size(files, tf.int64)
        rows = read.rows[:, tf.newaxis]
        shape = tf.stack([num_files, self._encoder.descriptor_dim])
        readable = tf.ones_like(read.rows, tf.int32)
        described = self._encode(read.pixels, size)
        return {
            "descriptors": tf.scatter_nd(rows, described, shape),
            "is_valid": tf.scatter_nd(rows, readable, num_files[tf.newaxis]) > 0,
        }

    def _encode(self, images: tf.Tensor, size: int | None = None) -> tf.Tensor:
        """Describes a batch, which may be empty: not every layer takes that."""

        def encode() -> tf.Tensor:
            shape = (None, size, size, 3)
            return self._encoder(tf.ensure_shape(images, shape), training=False)

        return tf.cond(
            tf.equal(tf.shape(images)[0], 0),
            lambda: tf.zeros((0, self._encoder.descriptor_dim)),
            encode,
        )

    def as_module(self) -> tf.Module:
        """Returns what a SavedModel has to hold besides the signatures.

        These are TensorFlow's variables, not the Keras model: of each Keras variable
        a SavedModel would get two, and loaders that use a session (TF Serving,
        saved_model_cli) restore the one that the graph does not read.
        """
        module = tf.Module(name="served_encoder")
        module.variables_of_encoder = [v.value for v in self._encoder.variables]
        return module
