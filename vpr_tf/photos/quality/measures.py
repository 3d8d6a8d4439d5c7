"""What is measured of every photo, without any threshold: one row a photo.

The columns derive from `PhotoMeasures`. Flags follow from the rows of all photos, see
`rules.py`.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, NamedTuple, get_type_hints

import numpy as np
from PIL import Image

from vpr_tf.photos.quality.decoded_photo import DecodedPhoto, read_photo
from vpr_tf.photos.quality.image_parts import damaged_share, occluded_share
from vpr_tf.photos.quality.maps import MAP_CELLS, brightness_map, detail_map
from vpr_tf.photos.quality.perceptual_hash import perceptual_hash
from vpr_tf.photos.quality.sharpness import sharpness

_WHITE = 250
_SKY_SHARE = 1 / 3  # of the height


class PhotoMeasures(NamedTuple):
    """What is measured of one photo; grey levels are 0 to 255.

    Attributes:
        damaged_share: Of the image whose data is lost, whole rows from below.
        contrast: Standard deviation of `brightness` from the plane that fits it best.
        highlight: Grey level that 1 % of the pixels reach.
        white_share: Of the pixels below the upper third that are white.
        sharpness: Of strong edges, 0 to 1; NaN where there are none.
        occluded_share: Of the image that one featureless thing covers.
        pixel_hash: Equal for equal grey levels of all pixels.
        perceptual_hash: 64 bits, nearly equal for nearly equal pictures.
        brightness: Mean grey level of 16 x 16 cells, rows from above.
        detail: Likewise, mean difference of neighbouring pixels times 8, up to 248.
    """

    damaged_share: Annotated[float, "<f4"]
    contrast: Annotated[float, "<f4"]
    highlight: Annotated[float, "<f4"]
    white_share: Annotated[float, "<f4"]
    sharpness: Annotated[float, "<f4"]
    occluded_share: Annotated[float, "<f4"]
    pixel_hash: Annotated[int, "<u8"]
    perceptual_hash: Annotated[int, "<u8"]
    brightness: Annotated[np.ndarray, "|u1", MAP_CELLS]
    detail: Annotated[np.ndarray, "|u1", MAP_CELLS]


def _dtype() -> np.dtype:
    hints = get_type_hints(PhotoMeasures, include_extras=True)
    return np.dtype([(name, *hint.__metadata__) for name, hint in hints.items()])


MEASURES_DTYPE = _dtype()


def measure_file(
    file: Path, exif_orientation: int = 1, size_px: tuple[int, int] | None = None
) -> PhotoMeasures:
    """Reads, decodes and measures a photo.

    Args:
        file: JPEG or PNG.
        exif_orientation: Its EXIF tag, 1 to 8.
        size_px: Width and height when it was listed; None takes any.

    Raises:
        InvalidEntryError: See `read_photo`.
    """
    return measure_photo(read_photo(file, exif_orientation, size_px))


def measure_photo(photo: DecodedPhoto) -> PhotoMeasures:
    """Measures a decoded photo."""
    grey = photo.grey
    brightness, detail = brightness_map(grey), detail_map(grey)
    below_sky = grey[int(_SKY_SHARE * len(grey)) :]
    return PhotoMeasures(
        damaged_share=damaged_share(photo),
        contrast=_contrast(brightness),
        highlight=_reached_by(photo.image, 0.01),
        white_share=float((below_sky >= _WHITE).mean()),
        sharpness=sharpness(grey),
        occluded_share=occluded_share(brightness, detail),
        pixel_hash=_pixel_hash(grey),
        perceptual_hash=perceptual_hash(photo.image),
        brightness=brightness,
        detail=detail,
    )


def _contrast(brightness: np.ndarray) -> float:
    """Returns how far cells are from a plane: a covered lens is lit from one side."""
    down, across = np.indices(brightness.shape).reshape(2, -1)
    plane, _ = np.linalg.qr(np.stack([np.ones_like(down), down, across], axis=1))
    levels = brightness.ravel().astype(np.float64)
    return float((levels - plane @ (plane.T @ levels)).std())


def _reached_by(image: Image.Image, share: float) -> float:
    """Returns the grey level that a share of the pixels reach."""
    above = np.cumsum(image.histogram()[::-1])
    return 255.0 - int(np.searchsorted(above, share * above[-1]))


def _pixel_hash(grey: np.ndarray) -> int:
    digest = hashlib.blake2b(grey.tobytes(), digest_size=8)
    digest.update(str(grey.shape).encode())
    return int.from_bytes(digest.digest(), "little")
