"""Which image files decode: one rule for scanning, checking, describing and serving.

It is TensorFlow's, which trains on them, but needs no TensorFlow; where the two are not
alike is said in `vpr_tf.data.pillow_decoding`.
"""

from __future__ import annotations

import contextlib
import io
import struct
from collections.abc import Iterator

from PIL import Image
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from vpr_tf.photos.errors import InvalidEntryError
from vpr_tf.photos.unread_parts import check_jpeg_end, check_png_checksums

_JPEG_START = b"\xff\xd8"
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_ERRORS = (OSError, ValueError, SyntaxError, EOFError, struct.error)


@contextlib.contextmanager
def opened_image(content: bytes) -> Iterator[ImageFile]:
    """Yields a JPEG or PNG, which is decoded when it is used.

    Args:
        content: The file; its header was checked, see `image_header_of`.

    Raises:
        InvalidEntryError: It does not decode, or has damaged parts that decoding does
            not come by.
    """
    Image.MAX_IMAGE_PIXELS = None  # headers say how many
    is_png = content.startswith(_PNG_SIGNATURE)
    if not is_png and not content.startswith(_JPEG_START):
        raise InvalidEntryError("image does not decode: no JPEG or PNG")
    opened = PngImageFile if is_png else JpegImageFile
    file = io.BytesIO(content)
    try:
        if is_png:
            check_png_checksums(content)
        with opened(file) as image:
            scan_start = file.tell()
            num_components = len(image.getbands())
            yield image
        if not is_png and _has_one_scan(content, image, scan_start, num_components):
            check_jpeg_end(content, scan_start)
    except InvalidEntryError:
        raise
    except _ERRORS as error:
        reason = str(error) or type(error).__name__
        raise InvalidEntryError(f"image does not decode: {reason}") from error


def _has_one_scan(
    content: bytes, image: ImageFile, scan_start: int, num_components: int
) -> bool:
    """Whether all components are in the first scan, before whose pixels they stand."""
    if "progressive" in image.info:
        return False  # all scans were read to the end of the file
    return content[scan_start - 4 - 2 * num_components] == num_components
