"""One photo, decoded once, as the checks of single images see it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from vpr_tf.photos.decoding import opened_image
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
        return _upright(self.stored, self.exif_orientation)

    @cached_property
    def stored_grey(self) -> np.ndarray:
        """Grey levels as they are stored, uint8 `(height, width)`."""
        return np.asarray(self.stored)

    @cached_property
    def grey(self) -> np.ndarray:
        """Upright grey levels, uint8 `(height, width)`."""
        return np.asarray(self.image)


def read_photo(
    file: Path, exif_orientation: int = 1, size_px: tuple[int, int] | None = None
) -> DecodedPhoto:
    """Reads and decodes a photo; of a large JPEG only as much as is needed.

    Args:
        file: JPEG or PNG.
        exif_orientation: Its EXIF tag, 1 to 8.
        size_px: Width and height when it was listed; None takes any.

    Raises:
        InvalidEntryError: It cannot be read, does not decode, or has another size.
    """
    content = _content_of(file)
    with _opened(content, size_px) as image:
        return DecodedPhoto(content, _reduced(image), exif_orientation)


def read_thumbnail(
    file: Path, exif_orientation: int, size_px: tuple[int, int], side_px: int
) -> Image.Image:
    """Returns a small picture of a photo, upright and in colour.

    Args:
        file: See `read_photo`.
        exif_orientation: Likewise.
        size_px: Likewise.
        side_px: What its longer side has at most.

    Raises:
        InvalidEntryError: See `read_photo`.
    """
    with _opened(_content_of(file), size_px) as image:
        image.draft("RGB", (side_px, side_px))
        small = _as_rgb(image)
    small.thumbnail((side_px, side_px))
    return _upright(small, exif_orientation)


def _content_of(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InvalidEntryError(f"file cannot be read: {error.strerror}") from None


@contextlib.contextmanager
def _opened(content: bytes, size_px: tuple[int, int] | None) -> Iterator[Image.Image]:
    """Yields a JPEG or PNG, which is decoded when it is used."""
    with opened_image(content) as image:
        if size_px not in (None, image.size):
            raise InvalidEntryError(
                "image changed since it was listed: it has another size"
            )
        yield image


def _upright(image: Image.Image, exif_orientation: int) -> Image.Image:
    turn = _TURNS.get(exif_orientation)
    return image if turn is None else image.transpose(turn)


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
    if image.mode in ("L", "RGB"):
        return image.convert("L")
    return _as_rgb(image).convert("L")


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits, which Pillow would cut off at 255
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    return image.convert("RGB")
