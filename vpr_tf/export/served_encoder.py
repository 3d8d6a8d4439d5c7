"""The encoder together with the preparation of its images."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from vpr_tf.config import Preprocessing
from vpr_tf.data.image_decoding import decode_image, resize_for_evaluation

# Decorators of the two signatures that every exported graph has.
of_files = tf.function(
    input_signature=[tf.TensorSpec((None,), tf.string, name="image_bytes")]
)
of_images = tf.function(
    input_signature=[tf.TensorSpec((None, None, None, 3), tf.float32, name="images")]
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

    @of_files
    def from_bytes(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        """Describes JPEG or PNG files.

        Args:
            image_bytes: Strings of shape `(batch,)`; sizes may differ.

        Returns:
            `descriptors`, float32 `(batch, descriptor_dim)`.
        """
        if self._preprocessing.resize != "square":
            # Sizes differ from image to image, so that there is no batch.
            spec = tf.TensorSpec((self._encoder.descriptor_dim,), tf.float32)
            each = tf.map_fn(self._describe, image_bytes, fn_output_signature=spec)
            return {"descriptors": each}
        size = self._preprocessing.image_size
        spec = tf.TensorSpec((size, size, 3), tf.float32)
        images = tf.map_fn(self._prepare, image_bytes, fn_output_signature=spec)
        return {"descriptors": self._encoder(images, training=False)}

    @of_images
    def from_images(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """Describes RGB images in [0, 1] as they are, without a resize.

        Args:
            images: Float32 `(batch, height, width, 3)`.

        Returns:
            `descriptors`, float32 `(batch, descriptor_dim)`.
        """
        return {"descriptors": self._encoder(images, training=False)}

    def _prepare(self, image_bytes: tf.Tensor) -> tf.Tensor:
        return resize_for_evaluation(decode_image(image_bytes), self._preprocessing)

    def _describe(self, image_bytes: tf.Tensor) -> tf.Tensor:
        image = self._prepare(image_bytes)
        return self._encoder(image[tf.newaxis], training=False)[0]

    def as_module(self) -> tf.Module:
        """Returns what a SavedModel has to hold besides the signatures.

        These are TensorFlow's variables, not the Keras model: of each Keras variable
        a SavedModel would get two, and loaders that use a session (TF Serving,
        saved_model_cli) restore the one that the graph does not read.
        """
        module = tf.Module(name="served_encoder")
        module.variables_of_encoder = [v.value for v in self._encoder.variables]
        return module
