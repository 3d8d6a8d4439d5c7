"""From image bytes to upright pixels; stock graph operations only.

JPEG is decoded with the accurate integer DCT, which equals Pillow bit by bit. The
same functions run in the input pipelines and inside an exported SavedModel.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from vpr_tf.config import Preprocessing
from vpr_tf.data.image_sizes import ORIENTATION_STEPS, evaluation_size
from vpr_tf.photos.schema import MAX_PIXELS

_DCT = "INTEGER_ACCURATE"
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def decode_image(
    image_bytes: tf.Tensor, exif_orientation: tf.Tensor | None = None
) -> tf.Tensor:
    """Decodes a JPEG or PNG of any size to RGB.

    Grey images are repeated to three channels, CMYK is converted, alpha is dropped and
    16 bits become 8.

    Args:
        image_bytes: Scalar string.
        exif_orientation: Scalar integer, 1 to 8; None leaves the stored pixels.

    Returns:
        uint8 of shape `(height, width, 3)`.

    Raises:
        tf.errors.InvalidArgumentError: The bytes are no whole JPEG or PNG.
    """
    image = tf.io.decode_jpeg(image_bytes, channels=3, dct_method=_DCT)
    image = tf.ensure_shape(image, (None, None, 3))  # WebP would have four axes
    if exif_orientation is None:
        return image
    return make_upright(image, exif_orientation)


def check_header(image_bytes: tf.Tensor) -> tf.Operation:
    """Returns a check that a file is a JPEG or PNG of a size that may be decoded.

    Args:
        image_bytes: Scalar string.

    Raises:
        tf.errors.InvalidArgumentError: When the graph runs: another format, or more
            pixels than `MAX_PIXELS` by its header.
    """

    def png_pixels() -> tf.Tensor:
        # After signature, length and type of the first chunk, big-endian.
        sides = tf.strings.substr(image_bytes, 16, 8)
        sides = tf.io.decode_raw(sides, tf.int32, little_endian=False)
        return tf.reduce_prod(tf.cast(sides, tf.float32))

    def jpeg_pixels() -> tf.Tensor:
        shape = tf.image.extract_jpeg_shape(image_bytes)
        return tf.reduce_prod(tf.cast(shape[:2], tf.float32))

    signature = tf.strings.substr(image_bytes, 0, len(_PNG_SIGNATURE))
    is_png = tf.equal(signature, _PNG_SIGNATURE)
    pixels = tf.cond(is_png, png_pixels, jpeg_pixels)
    return tf.debugging.Assert(
        (pixels > 0) & (pixels <= MAX_PIXELS),
        [f"An image must have at most {MAX_PIXELS:,} pixels. Received:", pixels],
    )


def decode_crop(image_bytes: tf.Tensor, window: tf.Tensor) -> tf.Tensor:
    """Decodes a part of an image; of a JPEG only that part is decompressed.

    Pixels equal those of the whole image but at the border of a JPEG's crop, where
    colour is not interpolated with what lies beyond: one column, some grey levels.

    Args:
        image_bytes: Scalar string.
        window: int32 `(top, left, height, width)` in stored pixels.

    Returns:
        uint8 of shape `(height, width, 3)`, not yet upright.
    """

    def crop_other() -> tf.Tensor:
        image = decode_image(image_bytes)
        return tf.image.crop_to_bounding_box(image, *tf.unstack(window))

    return tf.cond(
        tf.io.is_jpeg(image_bytes),
        lambda: tf.io.decode_and_crop_jpeg(
            image_bytes, window, channels=3, dct_method=_DCT
        ),
        crop_other,
    )


def make_upright(image: tf.Tensor, exif_orientation: tf.Tensor) -> tf.Tensor:
    """Applies the EXIF orientation, 1 to 8, to `(height, width, channels)` pixels."""

    def turn() -> tf.Tensor:
        transpose, flip_rows, flip_columns = _orientation_steps(exif_orientation)
        turned = tf.cond(
            transpose, lambda: tf.transpose(image, [1, 0, 2]), lambda: image
        )
        turned = tf.cond(flip_rows, lambda: turned[::-1], lambda: turned)
        return tf.cond(flip_columns, lambda: turned[:, ::-1], lambda: turned)

    return tf.cond(exif_orientation > 1, turn, lambda: image)


def stored_window(
    window: tf.Tensor, height: tf.Tensor, width: tf.Tensor, exif_orientation: tf.Tensor
) -> tf.Tensor:
    """Maps a window of the upright image to the stored pixels.

    Args:
        window: int32 `(top, left, height, width)` in the upright image.
        height: Height of the upright image.
        width: Width of the upright image.
        exif_orientation: Scalar integer, 1 to 8.

    Returns:
        int32 `(top, left, height, width)` in the stored image.
    """
    transpose, flip_rows, flip_columns = _orientation_steps(exif_orientation)
    top, left, window_height, window_width = tf.unstack(window)
    top = tf.where(flip_rows, height - top - window_height, top)
    left = tf.where(flip_columns, width - left - window_width, left)
    return tf.where(
        transpose,
        tf.stack([left, top, window_width, window_height]),
        tf.stack([top, left, window_height, window_width]),
    )


def _orientation_steps(exif_orientation: tf.Tensor) -> tuple[Any, Any, Any]:
    """Returns whether to transpose, then to reverse rows, then columns."""
    table = tf.constant(ORIENTATION_STEPS)
    steps = table[exif_orientation - 1]
    return steps[0], steps[1], steps[2]


def resize_for_evaluation(image: tf.Tensor, preprocessing: Preprocessing) -> tf.Tensor:
    """Scales an upright image to [0, 1] at its evaluation size.

    Antialiased bilinear, without rounding to whole grey levels.

    Args:
        image: Grey levels from 0 to 255, `(height, width, 3)`.
        preprocessing: See `evaluation_size`.

    Returns:
        float32 of shape `(new_height, new_width, 3)`.
    """
    if preprocessing.resize == "native":
        return tf.cast(image, tf.float32) / 255.0
    shape = tf.shape(image, out_type=tf.int64)
    size = tf.stack(evaluation_size(shape[0], shape[1], preprocessing))
    # Of whole bytes: as floats the original would take four times the memory.
    return resize_antialiased(image, tf.cast(size, tf.int32)) / 255.0


def resize_antialiased(pixels: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Resizes as Pillow's and torchvision's antialiased bilinear filter do.

    An enlarged image needs no antialiasing, and without it is faster.

    Args:
        pixels: `(height, width, 3)`, of any numeric type.
        size: int32 `(2,)`.

    Returns:
        float32 of shape `(*size, 3)`, in the range of `pixels`.
    """
    return tf.cond(
        tf.reduce_any(tf.shape(pixels)[:2] > size),
        lambda: tf.image.resize(pixels, size, antialias=True),
        lambda: tf.image.resize(tf.cast(pixels, tf.float32), size),
    )
