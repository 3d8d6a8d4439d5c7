"""What a decoder process does with the bytes of a photo, which nobody has looked at.

It never imports TensorFlow, reads no file, and is killed when it takes too long.
"""

from __future__ import annotations

import binascii
import os
import resource
import warnings
from dataclasses import dataclass
from multiprocessing.connection import Connection

import numpy as np

from vpr_tf.config import Preprocessing
from vpr_tf.data.image_sizes import evaluation_size, upright_size
from vpr_tf.data.pillow_decoding import (
    decode_image,
    resize_for_evaluation,
    shrink_image,
)
from vpr_tf.photos import InvalidEntryError, image_header_of
from vpr_tf.photos.errors import NoImageError, NoPositionError
from vpr_tf.photos.exif_position import read_exif_metadata
from vpr_tf.photos.metadata import PartlyReadError
from vpr_tf.worker_pool import end_with_forking_process, start_worker

# Cameras write 10 scans; each of thousands costs as much as the whole image.
_MOST_SCANS = 500
_SCAN_MARKER = b"\xff\xda"
# Pillow passes them one by one, before it looks at any pixel.
_MOST_FILL_PAIRS, _FILL_PAIR = 1_000_000, b"\xff\xff"
_BASE_BYTES = 1 << 29
# Of a 16-bit PNG with transparency: as decoded, as RGB, as an array, resized.
_BYTES_A_PIXEL = 24
_NICE = 5


@dataclass(frozen=True)
class DecodingTask:
    """What is wanted of a photo.

    Attributes:
        wanted: How it is prepared, for each encoder.
        max_pixels: Larger ones are refused.
        max_encoded_pixels: Those that would be larger as prepared are refused.
        wants_position: Whether the EXIF position is read.
        wants_time: Whether the EXIF time is read.
        matched_px: Most pixels of the longer side of what is compared with candidates;
            None for nothing.
    """

    wanted: tuple[Preprocessing, ...]
    max_pixels: int
    max_encoded_pixels: int
    wants_position: bool = False
    wants_time: bool = False
    matched_px: int | None = None


@dataclass(frozen=True, eq=False)
class DecodedPhoto:
    """A photo that encoders can describe.

    Attributes:
        images: Float32 `(height, width, 3)` in [0, 1], one for each encoder.
        height: Of the photo as it was sent, upright.
        width: Likewise.
        position_deg: Latitude and longitude of its EXIF data, if they were wanted.
        taken: The time of its EXIF data, if it is there and was wanted; else empty.
        matched: What is compared with candidates, uint8, if it was wanted.
    """

    images: list[np.ndarray]
    height: int
    width: int
    position_deg: tuple[float, float] | None = None
    taken: str = ""
    matched: np.ndarray | None = None

    @property
    def num_bytes(self) -> int:
        """Of all its images."""
        kept = self.images if self.matched is None else [*self.images, self.matched]
        return sum(image.nbytes for image in kept)


@dataclass(frozen=True)
class RefusedPhoto:
    """A photo that cannot be decoded.

    Attributes:
        reason: Why.
        is_image: Whether it is a JPEG or PNG at all.
    """

    reason: str
    is_image: bool = True


def decode_photo(
    content: bytes | str, task: DecodingTask
) -> DecodedPhoto | RefusedPhoto:
    """Turns the bytes of a photo into images for encoders.

    Args:
        content: The file; as text, base64 of it.
        task: What is wanted.
    """
    if isinstance(content, str):
        try:
            content = binascii.a2b_base64(content, strict_mode=True)
        except ValueError as error:  # characters beyond ASCII as well
            return RefusedPhoto(f"data is no base64: {error}")
    try:
        return _decoded(content, task)
    except NoImageError as error:
        return RefusedPhoto(str(error), is_image=False)
    except InvalidEntryError as error:
        return RefusedPhoto(str(error))
    except MemoryError:
        return RefusedPhoto("image needs too much memory; make it smaller")
    except ValueError as error:
        return RefusedPhoto(f"image does not decode: {error}")
    except Exception as error:  # whatever damaged files bring libraries to
        return RefusedPhoto(f"image does not decode ({type(error).__name__})")


def _decoded(content: bytes, task: DecodingTask) -> DecodedPhoto:
    header = image_header_of(content)
    height, width = upright_size(*header)
    if height * width > task.max_pixels:
        raise InvalidEntryError(
            f"image has more than {task.max_pixels:,} pixels: {width} x {height}; make "
            "it smaller"
        )
    for one in task.wanted:
        _check_encoded_size(height, width, one, task.max_encoded_pixels)
    if content.startswith(b"\xff\xd8"):
        _check_jpeg(content)
    position_deg = _exif_position(content) if task.wants_position else None
    taken = _exif_time(content) if task.wants_time else ""
    pixels = decode_image(content, header.exif_orientation)
    images = [resize_for_evaluation(pixels, one) for one in task.wanted]
    matched = None
    if task.matched_px is not None:
        matched = shrink_image(pixels, task.matched_px)
    return DecodedPhoto(images, height, width, position_deg, taken, matched)


def _check_jpeg(content: bytes) -> None:
    if content.count(_SCAN_MARKER) > _MOST_SCANS:
        raise InvalidEntryError(f"JPEG image has more than {_MOST_SCANS} scans")
    if content.count(_FILL_PAIR) > _MOST_FILL_PAIRS:
        raise InvalidEntryError(
            f"JPEG image has more than {2 * _MOST_FILL_PAIRS:,} fill bytes; save it "
            "anew"
        )


def _check_encoded_size(
    height: int, width: int, preprocessing: Preprocessing, most: int
) -> None:
    new_height, new_width = evaluation_size(height, width, preprocessing)
    if new_height * new_width > most:
        is_native = preprocessing.resize == "native"
        remedy = "make it smaller" if is_native else "crop its longer side"
        raise InvalidEntryError(
            f"image of {width} x {height} pixels would be {new_width} x {new_height} "
            f"for the encoder, more than {most:,} pixels; {remedy}"
        )


def _exif_position(content: bytes) -> tuple[float, float]:
    try:
        degrees_e7 = read_exif_metadata(content).degrees_e7
    except PartlyReadError as error:
        degrees_e7 = error.usable.degrees_e7
    except NoPositionError:
        degrees_e7 = None
    if degrees_e7 is None:
        raise InvalidEntryError(
            "there is no EXIF position, within `exif_radius_m` of which to search"
        )
    latitude_e7, longitude_e7 = degrees_e7
    return latitude_e7 / 1e7, longitude_e7 / 1e7


def _exif_time(content: bytes) -> str:
    try:
        return read_exif_metadata(content).timestamp
    except PartlyReadError as error:
        return error.usable.timestamp
    except NoPositionError as error:
        return error.timestamp
    except InvalidEntryError:
        return ""


def start_decoder(lifeline: Connection, max_pixels: int) -> None:
    """Makes a process a decoder: of bounded memory, after others, ending with its user.

    Args:
        lifeline: Closes when the service ends, however it ends.
        max_pixels: Of a photo.
    """
    start_worker(lifeline)
    # Without it the pool takes this process for dead, and would not end it.
    end_with_forking_process()
    most = _BASE_BYTES + _BYTES_A_PIXEL * max_pixels
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # it would hold a photo
    warnings.simplefilter("ignore")  # of damaged photos, for every one a line
    os.nice(_NICE)  # refusals and health are answered before photos are decoded
