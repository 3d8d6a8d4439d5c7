"""Small pictures of the photos of an index, from the operator's folder of photos."""

from __future__ import annotations

import hashlib
import io
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from vpr_tf.data.pillow_decoding import decode_image
from vpr_tf.photos import InvalidEntryError, image_header_of
from vpr_tf.place_index import IndexState
from vpr_tf.serving.problems import ProblemError
from vpr_tf.stored_paths import StoredPathError, inside

SIDE_PX = 320
_QUALITY = 80
_MAX_FILE_BYTES = 200_000_000
_AS_STORED = ("RGB", "RGBA", "L", "LA")  # modes of PNG that are made small as they are
_JPEG_START = b"\xff\xd8\xff"
# Of the orientations 2 to 8, what makes a picture upright.
_UPRIGHT = (
    Image.Transpose.FLIP_LEFT_RIGHT,
    Image.Transpose.ROTATE_180,
    Image.Transpose.FLIP_TOP_BOTTOM,
    Image.Transpose.TRANSPOSE,
    Image.Transpose.ROTATE_270,
    Image.Transpose.TRANSVERSE,
    Image.Transpose.ROTATE_90,
)


def thumbnail_path(index: str, key: str) -> str:
    """Returns where the service answers with the thumbnail of a photo.

    Args:
        index: Name of the index.
        key: Of the photo.

    Example:
        >>> from vpr_tf.serving.thumbnails import thumbnail_path
        >>> thumbnail_path("city", "2019/a b.jpg")
        '/v1/indexes/city/photos/2019/a%20b.jpg/thumbnail'
    """
    return f"/v1/indexes/{quote(index, safe='')}/photos/{quote(key)}/thumbnail"


@dataclass(frozen=True)
class PhotoFile:
    """A file of the folder of photos, as it was found.

    Attributes:
        path: Where it lies.
        tag: Changes when the file does.
    """

    path: Path
    tag: str


def find_photo(folder: Path, state: IndexState, key: str) -> PhotoFile:
    """Finds the file of a photo of an index.

    Args:
        folder: Of the photos.
        state: Of the index.
        key: Of the photo: its path in the folder.

    Raises:
        ProblemError: The index has no such photo, or its file is not there.
    """
    try:
        path = inside(folder, key)
        status = path.lstat()
        is_there = stat.S_ISREG(status.st_mode) and len(
            state.find_alive(np.array([key.encode()]))[0]
        )
    except (StoredPathError, OSError, ValueError):
        is_there = False
    if not is_there:
        raise ProblemError(404, "The service shows no photo of this key.")
    named = f"{key}\0{status.st_mtime_ns}\0{status.st_size}"
    return PhotoFile(path, hashlib.sha256(named.encode()).hexdigest()[:24])


def thumbnail(path: Path, max_pixels: int) -> bytes:
    """Returns a small JPEG of a photo, upright and without its EXIF data.

    Args:
        path: Of a JPEG or PNG file; no link.
        max_pixels: A larger photo is refused.

    Raises:
        ProblemError: The photo cannot be read.
    """
    try:
        content = _read(path)
        header = image_header_of(content)
        if header.height * header.width > max_pixels:
            raise InvalidEntryError("too many pixels")
        picture = _small(content, header.exif_orientation)
    except (InvalidEntryError, OSError, ValueError, SyntaxError) as error:
        raise ProblemError(404, "The photo of this key cannot be read.") from error
    written = io.BytesIO()
    picture.save(written, "JPEG", quality=_QUALITY)
    return written.getvalue()


def _read(path: Path) -> bytes:
    number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(number, "rb") as file:
        if os.fstat(number).st_size > _MAX_FILE_BYTES:
            raise InvalidEntryError("too many bytes")
        return file.read(_MAX_FILE_BYTES)


def _small(content: bytes, orientation: int) -> Image.Image:
    is_jpeg = content.startswith(_JPEG_START)
    opened = JpegImageFile if is_jpeg else PngImageFile
    picture: Image.Image
    with opened(io.BytesIO(content)) as picture:
        if is_jpeg:
            picture.draft("RGB", (2 * SIDE_PX, 2 * SIDE_PX))  # decodes an eighth
        elif picture.mode not in _AS_STORED:
            picture = Image.fromarray(np.ascontiguousarray(decode_image(content)))
        # Made small before it is converted: of a large photo no second copy is made.
        picture.thumbnail(
            (SIDE_PX, SIDE_PX), Image.Resampling.BILINEAR, reducing_gap=2.0
        )
        picture = picture.convert("RGB")
    if orientation > 1:
        picture = picture.transpose(_UPRIGHT[orientation - 2])
    return Image.fromarray(np.asarray(picture))  # the pixels alone
