"""What a served graph is sent: read, checked and named, whoever the client is."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from vpr_tf.config import Preprocessing
from vpr_tf.data.image_decoding import (
    check_header,
    decode_image,
    resize_for_evaluation,
)
from vpr_tf.photos.schema import MAX_PIXELS

# A resize may leave [0, 1] by its rounding.
_RANGE_TOLERANCE = 1e-3
# The signatures, whatever they give.
IMAGE_BYTES = (tf.TensorSpec((None,), tf.string, name="image_bytes"),)
IMAGES = (tf.TensorSpec((None, None, None, 3), tf.float32, name="images"),)
_MOST_AXES = 16  # of a shape in a message


class ReadImages(NamedTuple):
    """The images of a batch that can be read.

    Attributes:
        rows: Which of the batch they are, int64 `(num_readable,)`, ascending.
        pixels: Float32 in [0, 1], `(num_readable, height, width, 3)`.
    """

    rows: tf.Tensor
    pixels: tf.Tensor


def read_images(image_bytes: tf.Tensor, preprocessing: Preprocessing) -> ReadImages:
    """Decodes and prepares the files of a batch; what cannot be read is left out.

    A data pipeline inside the graph, since that alone goes on after an error.

    Args:
        image_bytes: Strings `(batch,)`; of images of several sizes one at a time.
        preprocessing: Resize and size.
    """

    def prepare(row: tf.Tensor, file: tf.Tensor) -> tuple[tf.Tensor, ...]:
        with tf.control_dependencies([check_header(file)]):
            image = decode_image(tf.identity(file))
        return row, resize_for_evaluation(image, preprocessing)

    # Without images there would be no batch: one more ends it, and is taken off.
    end = (tf.constant(-1, tf.int64), tf.zeros((0, 0, 3)))
    rows, pixels = (
        tf.data.Dataset.from_tensor_slices(image_bytes)
        .enumerate()
        .map(prepare, num_parallel_calls=tf.data.AUTOTUNE)
        .ignore_errors()
        .concatenate(tf.data.Dataset.from_tensors(end))
        .padded_batch(
            tf.size(image_bytes, tf.int64) + 1, padded_shapes=([], [None, None, 3])
        )
        .with_options(_pipeline_options())
        .get_single_element()
    )
    return ReadImages(rows[:-1], pixels[:-1])


def require_all(is_valid: tf.Tensor) -> tf.Operation:
    """Returns a check that names the files of a batch that could not be read.

    Args:
        is_valid: Whether each could, bool `(batch,)`.
    """
    unread = tf.where(~is_valid)[:, 0]
    return tf.debugging.Assert(
        tf.reduce_all(is_valid),
        [
            "`image_bytes` must be whole JPEG or PNG files of at most "
            f"{MAX_PIXELS:,} pixels. Not so in this batch, counted from 0:",
            unread,
            "of",
            tf.size(is_valid),
            "Send the others again without them, or call the signature `flagged`.",
        ],
        summarize=20,
    )


def checked_images(images: tf.Tensor) -> tf.Tensor:
    """Returns images after a check of their rank, shape and values.

    Args:
        images: Float32 `(batch, height, width, 3)`, if the client did right.

    Raises:
        tf.errors.InvalidArgumentError: When the graph runs: another rank, no three
            channels, no pixels, values outside [0, 1] or NaN.
    """
    received = _of_any_shape(images)
    shape = tf.shape(received)
    of_images = tf.cond(
        tf.equal(tf.size(shape), 4),
        lambda: tf.logical_and(tf.equal(shape[3], 3), tf.reduce_all(shape[1:3] > 0)),
        lambda: tf.constant(False),
    )
    check = tf.debugging.Assert(
        of_images,
        [
            "`images` must have the shape (batch, height, width, 3); one image is a "
            "batch of 1. Received shape:",
            shape,
        ],
        summarize=_MOST_AXES,
    )
    with tf.control_dependencies([check]):
        images = tf.ensure_shape(tf.identity(received), (None, None, None, 3))
    inside = (images >= -_RANGE_TOLERANCE) & (images <= 1 + _RANGE_TOLERANCE)
    check = tf.debugging.Assert(
        tf.reduce_all(inside),
        [
            "`images` must hold values from 0 to 1, none of them NaN; divide bytes by "
            "255. Received values from, to:",
            tf.reduce_min(images),
            tf.reduce_max(images),
            "NaN:",
            tf.math.count_nonzero(tf.math.is_nan(images)),
        ],
    )
    with tf.control_dependencies([check]):
        return tf.identity(images)


def checked_files(image_bytes: tf.Tensor) -> tf.Tensor:
    """Returns the files of a batch after a check of their shape.

    Args:
        image_bytes: Strings `(batch,)`, if the client did right.

    Raises:
        tf.errors.InvalidArgumentError: When the graph runs: another rank.
    """
    received = _of_any_shape(image_bytes)
    check = tf.debugging.Assert(
        tf.equal(tf.size(tf.shape(received)), 1),
        [
            "`image_bytes` must have the shape (batch,), a file each; one file is a "
            "batch of 1. Received shape:",
            tf.shape(received),
        ],
        summarize=_MOST_AXES,
    )
    with tf.control_dependencies([check]):
        return tf.ensure_shape(tf.identity(received), (None,))


def _of_any_shape(tensor: tf.Tensor) -> tf.Tensor:
    """Returns an input whose shape has to be looked at.

    The shape of the signature is a promise that nobody keeps: without this operation
    the optimizer believes it and drops a check.
    """
    return tf.raw_ops.PlaceholderWithDefault(input=tensor, shape=tf.TensorShape(None))


def _pipeline_options() -> tf.data.Options:
    """A pipeline of one batch: tuning and rewriting it would take longer than it."""
    options = tf.data.Options()
    options.autotune.enabled = False
    options.experimental_optimization.apply_default_optimizations = False
    options.experimental_optimization.inject_prefetch = False
    return options
