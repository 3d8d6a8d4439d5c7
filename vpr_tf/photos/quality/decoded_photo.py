"""One photo, decoded once, as the checks of single images see it."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from vpr_tf.photos.errors import InvalidEntryError

SHORTER_SIDE_PX = 512
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, eq=False)
class DecodedPhoto:
    """A photo, its shorter side reduced to `SHORTER_SIDE_PX` if it is longer.

    Attributes:
        content: The file.
        stored: The photo as it is stored, in grey levels (mode L).
        exif_orientation: The EXIF tag, 1 to 8.
    """

    content: bytes
    stored: Image.Image
    exif_orientation: int = 1

    @cached_property
    def image(self) -> Image.Image:
        """The upright photo."""
        turn = _TURNS.get(self.exif_orientation)
        return self.stored if turn is None else self.stored.transpose(turn)

    @cached_property
    def stored_grey(self) -> np.ndarray:
        """Grey levels as they are stored, uint8 `(height, width)`."""
        return np.asarray(self.stored)

    @cached_property
    def grey(self) -> np.ndarray:
        """Upright grey levels, uint8 `(height, width)`."""
        return np.asarray(self.image)


def read_photo(file: Path, exif_orientation: int = 1) -> DecodedPhoto:
    """Reads and decodes a photo; of a large JPEG only as much as is needed.

    Args:
        file: JPEG or PNG.
        exif_orientation: Its EXIF tag, 1 to 8.

    Raises:
        InvalidEntryError: It cannot be read, or does not decode.
    """
    Image.MAX_IMAGE_PIXELS = None  # headers were checked when photos were listed
    try:
        content = file.read_bytes()
        with Image.open(io.BytesIO(content)) as image:
            return DecodedPhoto(content, _reduced(image), exif_orientation)
    except OSError as error:
        if error.strerror:
            raise InvalidEntryError(f"file cannot be read: {error.strerror}") from None
        raise InvalidEntryError(f"image does not decode: {error}") from None
    except (ValueError, SyntaxError, struct.error) as why:
        raise InvalidEntryError(f"image does not decode: {why}") from None


def _reduced(image: Image.Image) -> Image.Image:
    # Of a JPEG the luma alone, at 1/2, 1/4 or 1/8 where that is still enough.
    image.draft("L", (SHORTER_SIDE_PX, SHORTER_SIDE_PX))
    grey = _as_grey(image)
    shorter = min(grey.size)
    if shorter > SHORTER_SIDE_PX:
        width, height = (side * SHORTER_SIDE_PX // shorter for side in grey.size)
        grey = grey.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2)
    return grey


def _as_grey(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("L", "RGB"):
        return image.convert("L")
    return image.convert("RGB").convert("L")
