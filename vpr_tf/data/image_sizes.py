"""Sizes and orientations of images, of whole numbers, arrays and tensors alike."""

from __future__ import annotations

from typing import Any

from vpr_tf.config import Preprocessing

# By EXIF orientation, from 1 on: whether to transpose, then to reverse rows, columns.
ORIENTATION_STEPS = (
    (False, False, False),  # as stored
    (False, False, True),
    (False, True, True),
    (False, True, False),
    (True, False, False),
    (True, False, True),
    (True, True, True),
    (True, True, False),
)


def upright_size(height: Any, width: Any, exif_orientation: Any) -> tuple[Any, Any]:
    """Returns height and width after the EXIF orientation, 1 to 8, was applied."""
    is_transposed = exif_orientation // 5
    return (
        height + (width - height) * is_transposed,
        width + (height - width) * is_transposed,
    )


def evaluation_size(
    height: Any, width: Any, preprocessing: Preprocessing
) -> tuple[Any, Any]:
    """Returns the size at which an upright image is evaluated.

    Args:
        height: Of the upright image.
        width: Likewise.
        preprocessing: Resize and size.
    """
    if preprocessing.resize == "native":
        return height, width
    size = preprocessing.image_size
    if preprocessing.resize == "square":
        return height * 0 + size, width * 0 + size
    # The shorter side is exact and the longer one is rounded down.
    shorter = (height + width - abs(height - width)) // 2
    return size * height // shorter, size * width // shorter
