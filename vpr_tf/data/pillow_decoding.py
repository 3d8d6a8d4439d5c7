"""What `image_decoding` does, without TensorFlow: by Pillow and NumPy.

To import TensorFlow takes longer than to describe a photo. Of whole files the decoded
pixels are the same, bit by bit, since both decode by libjpeg-turbo and libpng; resized
ones differ by less than 5e-6 of the range. Of a progressive JPEG that lost scans but
not its end marker, what is missing is smoothed in other ways. Files that one refuses
the other refuses, too, but JPEGs with restart markers that lost the last one to a
reserved marker: they are refused here alone (7 of 9,000 damaged at random).
"""

from __future__ import annotations

import functools

import numpy as np
from PIL import Image
from PIL.ImageFile import ImageFile

from vpr_tf.config import Preprocessing
from vpr_tf.data.image_sizes import ORIENTATION_STEPS, evaluation_size
from vpr_tf.photos.decoding import opened_image


def decode_image(image_bytes: bytes, exif_orientation: int = 1) -> np.ndarray:
    """Decodes a JPEG or PNG to RGB; see `image_decoding.decode_image`.

    Args:
        image_bytes: The file; its header was checked, see `image_header_of`.
        exif_orientation: 1 to 8; 1 leaves the stored pixels.

    Returns:
        uint8 of shape `(height, width, 3)`.

    Raises:
        InvalidEntryError: The bytes are no whole JPEG or PNG; the decoder's reason.
    """
    with opened_image(image_bytes) as image:
        pixels = _rgb_of(image)
    transpose, flip_rows, flip_columns = ORIENTATION_STEPS[exif_orientation - 1]
    if transpose:
        pixels = pixels.swapaxes(0, 1)
    return pixels[:: -1 if flip_rows else 1, :: -1 if flip_columns else 1]


def resize_for_evaluation(
    pixels: np.ndarray, preprocessing: Preprocessing
) -> np.ndarray:
    """Scales an upright image to [0, 1] at its evaluation size, in float32.

    See `image_decoding.resize_for_evaluation`.

    Args:
        pixels: Grey levels from 0 to 255, `(height, width, 3)`.
        preprocessing: See `evaluation_size`.
    """
    height, width, _ = pixels.shape
    new_height, new_width = evaluation_size(height, width, preprocessing)
    shrinks = new_height < height or new_width < width
    rows = _resized_rows(pixels, new_height, shrinks)
    columns = np.ascontiguousarray(rows.swapaxes(0, 1))
    resized = _resized_rows(columns, new_width, shrinks).swapaxes(0, 1)
    return np.divide(resized, np.float32(255), dtype=np.float32, order="C")


def shrink_image(pixels: np.ndarray, most_px: int) -> np.ndarray:
    """Returns an image whose longer side has at most so many pixels.

    Args:
        pixels: Grey levels from 0 to 255, `(height, width, 3)`.
        most_px: Larger images are made smaller, their aspect kept.

    Returns:
        uint8 of shape `(height, width, 3)`.
    """
    height, width, _ = pixels.shape
    pixels = np.ascontiguousarray(pixels).astype(np.uint8)
    scale = most_px / max(height, width)
    if scale >= 1:
        return pixels
    size = max(1, round(width * scale)), max(1, round(height * scale))
    smaller = Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR)
    return np.asarray(smaller)


def _rgb_of(image: ImageFile) -> np.ndarray:
    """Returns pixels as TensorFlow converts them."""
    if image.mode == "CMYK":
        levels = np.asarray(image, np.uint16)
        if "adobe" in image.info:  # which says that they are stored inverted
            levels = 255 - levels
        return (levels[..., :3] * levels[..., 3:] // 255).astype(np.uint8)
    if image.mode.startswith("I"):
        grey = (np.asarray(image) >> 8).astype(np.uint8)
        return np.repeat(grey[..., np.newaxis], 3, axis=2)
    return np.asarray(image.convert("RGB"))


def _resized_rows(pixels: np.ndarray, new_size: int, shrinks: bool) -> np.ndarray:
    """Resizes the first axis of `(size, ...)`, a tap of the filter at a time."""
    if new_size == len(pixels):
        return pixels
    first, weights = _filter(len(pixels), new_size, shrinks)
    flat = pixels.reshape(len(pixels), -1)
    resized = np.zeros((new_size, flat.shape[1]), np.float32)
    for tap, weight in enumerate(weights):
        rows = np.minimum(first + tap, len(pixels) - 1)
        resized += flat[rows] * weight[:, np.newaxis]
    return resized.reshape(new_size, *pixels.shape[1:])


@functools.lru_cache(maxsize=64)
def _filter(
    old_size: int, new_size: int, shrinks: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Returns a triangle filter as wide as a new pixel, or as an old one.

    In float32 and step by step as the kernels of TensorFlow, so that the same weights
    result.

    Args:
        old_size: Pixels of one axis.
        new_size: Likewise.
        shrinks: Whether either axis of the image gets smaller: the other kernel.

    Returns:
        First old pixel of each new one, and weights `(num_taps, new_size)`.
    """
    one, half = np.float32(1), np.float32(0.5)
    old, new = np.float32(old_size), np.float32(new_size)
    step = one / (new / old) if shrinks else old / new
    radius = max(step, one)
    centres = (np.arange(new_size, dtype=np.float32) + half) * step
    first = np.maximum(np.ceil(centres - radius - half), 0)
    last = np.minimum(np.floor(centres + radius - half), old - 1)
    taps = np.arange((last - first).max() + 1, dtype=np.float32)[:, np.newaxis]
    distances = first + taps + half - centres
    weights = np.maximum(one - np.abs(distances * (one / radius)), 0)
    weights[first + taps > last] = 0
    return first.astype(np.int64), weights * (one / weights.sum(axis=0))
