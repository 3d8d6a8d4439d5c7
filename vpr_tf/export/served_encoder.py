"""The encoder together with the preparation of its images."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from vpr_tf.config import Preprocessing
from vpr_tf.export.served_inputs import (
    ReadImages,
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

    @tf.function(
        input_signature=[tf.TensorSpec((None,), tf.string, name="image_bytes")]
    )
    def from_bytes(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        """Describes JPEG or PNG files.

        Args:
            image_bytes: Strings of shape `(batch,)`; sizes may differ.

        Returns:
            `descriptors`, float32 `(batch, descriptor_dim)`.

        Raises:
            tf.errors.InvalidArgumentError: A file cannot be read; all such are named.
        """
        read = read_images(image_bytes, self._preprocessing)
        return {"descriptors": self._describe(require_all(read, image_bytes))}

    @tf.function(
        input_signature=[tf.TensorSpec((None,), tf.string, name="image_bytes")]
    )
    def flagged(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        """Describes the files that can be read, and says which these are.

        Args:
            image_bytes: Strings of shape `(batch,)`; sizes may differ.

        Returns:
            `descriptors`, float32 `(batch, descriptor_dim)`, zeros where `is_valid`,
            bool `(batch,)`, is False.
        """
        read = read_images(image_bytes, self._preprocessing)
        num_files = tf.size(image_bytes, tf.int64)
        rows = read.rows[:, tf.newaxis]
        shape = tf.stack([num_files, self._encoder.descriptor_dim])
        readable = tf.ones_like(read.rows, tf.int32)
        return {
            "descriptors": tf.scatter_nd(rows, self._describe(read), shape),
            "is_valid": tf.scatter_nd(rows, readable, num_files[tf.newaxis]) > 0,
        }

    @tf.function(
        input_signature=[
            tf.TensorSpec((None, None, None, 3), tf.float32, name="images")
        ]
    )
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

    def _describe(self, read: ReadImages) -> tf.Tensor:
        if self._preprocessing.resize == "square":
            return self._encode(read.pixels, self._preprocessing.image_size)

        # Sizes differ from image to image, so that there is no batch.
        def describe(size_and_pixels: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
            (height, width), pixels = tf.unstack(size_and_pixels[0]), size_and_pixels[1]
            image = pixels[tf.newaxis, :height, :width]
            return self._encoder(image, training=False)[0]

        spec = tf.TensorSpec((self._encoder.descriptor_dim,), tf.float32)
        return tf.map_fn(describe, (read.sizes, read.pixels), fn_output_signature=spec)

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
