"""Photo files, and photos that a caller holds, as sources of images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageOps

from vpr_tf.data.image_sources import (
    FIRST_FILES,
    DamagedImage,
    EncodedSource,
    ImageLoader,
    ImageSource,
    PixelSource,
)
from vpr_tf.data.pillow_decoding import decode_image
from vpr_tf.photos import (
    InvalidEntryError,
    PhotoFiles,
    image_header_of,
    read_image_header,
)

if TYPE_CHECKING:
    from vpr_tf.data.records import EncodedImage

_CHANGED = "file has changed since it was listed"


class PhotoImages(PixelSource, EncodedSource):
    """Images of photo files, read when they are needed.

    Args:
        photos: What was found on disk.
        name: What they are, for people.
    """

    def __init__(self, photos: PhotoFiles, name: str = "photos") -> None:
        self.photos = photos
        self.name = name
        self.keys = photos.photos.keys

    def stored_sizes(
        self, rows: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """See `ImageSource`."""
        photos = self.photos
        heights, widths = photos.heights[rows], photos.widths[rows]
        return heights, widths, photos.exif_orientations[rows]

    def loader(self, rows: np.ndarray) -> ImageLoader:
        """See `ImageSource`; a file of another size than it had is an error."""
        from vpr_tf.data.image_batches import decoded

        return decoded(self.encoded_loader(rows))

    def encoded_loader(self, rows: np.ndarray) -> Callable[[Any], EncodedImage]:
        """See `EncodedSource`."""
        import tensorflow as tf

        from vpr_tf.data.records import EncodedImage

        photos = self.photos
        heights, widths = (
            tf.constant(side[rows].astype(np.int64))
            for side in (photos.heights, photos.widths)
        )
        paths = tf.constant(photos.paths[rows], tf.string)
        sizes = tf.constant(photos.file_sizes[rows], tf.int64)
        orientations = tf.constant(photos.exif_orientations[rows].astype(np.int64))
        folder = tf.constant(f"{photos.folder}/" if str(photos.folder) != "." else "")

        def load(place: Any) -> EncodedImage:
            image_bytes = tf.io.read_file(folder + paths[place])
            length = tf.strings.length(image_bytes, "BYTE")
            same = tf.debugging.assert_equal(
                tf.cast(length, tf.int64), sizes[place], _CHANGED
            )
            with tf.control_dependencies([same]):
                image_bytes = tf.identity(image_bytes)
            size = heights[place], widths[place]
            return EncodedImage(image_bytes, *size, orientations[place])

        return load

    def part(self, rows: np.ndarray) -> tuple[ImageSource, np.ndarray]:
        """See `ImageSource`: these photos alone."""
        photos = self.photos.take(rows).with_nothing_else()
        return PhotoImages(photos, self.name), np.arange(len(rows))

    @property
    def first_files(self) -> list[Path]:
        """See `ImageSource`."""
        photos = self.photos
        return [Path(photos.file(r)) for r in range(min(len(photos), FIRST_FILES))]

    def pixels(self, row: int) -> np.ndarray:
        """See `PixelSource`."""
        photos = self.photos
        content = _read(Path(photos.file(row)))
        if len(content) != photos.file_sizes[row]:
            raise InvalidEntryError(_CHANGED)
        size = photos.heights[row], photos.widths[row]
        return _decoded(content, size, photos.exif_orientations[row])

    def first_damaged(self, rows: Iterable[int]) -> DamagedImage | None:
        """See `ImageSource`; the error is an `InvalidEntryError`."""
        for row in rows:
            reason = self._damage(row)
            if reason:
                return DamagedImage(int(row), InvalidEntryError(reason))
        return None

    def _damage(self, row: int) -> str:
        """Returns why a photo cannot be described by TensorFlow, or nothing."""
        import tensorflow as tf

        from vpr_tf.data.image_decoding import decode_image
        from vpr_tf.data.record_reading import graph_error_reason

        try:
            self.pixels(row)
            # It refuses a few damaged files that Pillow takes.
            decode_image(tf.constant(Path(self.photos.file(row)).read_bytes()))
        except InvalidEntryError as error:
            return str(error)
        except tf.errors.OpError as error:
            return f"image does not decode: {graph_error_reason(error)}"
        return ""


class GivenPhotos(PixelSource):
    """Photos as a caller has them, in any mixture.

    Args:
        photos: A sequence of paths, bytes of JPEG or PNG files, PIL images and arrays;
            see `FeatureExtractor.extract`. One alone is a sequence of one.

    Raises:
        InvalidEntryError: One cannot be used; which, and why.
    """

    name = "photos"

    def __init__(self, photos: Any) -> None:
        photos = photo_list(photos)
        self._photos: list[Any] = []
        sizes = []
        names = photo_names(photos)
        for name, photo in zip(names, photos, strict=True):
            try:
                photo, size = _opened(photo)
            except OSError as error:
                reason = f"{name}: file cannot be read: {error.strerror}"
                raise InvalidEntryError(reason) from error
            except ValueError as error:
                raise InvalidEntryError(f"{name}: {error}") from error
            self._photos.append(photo)
            sizes.append(size)
        self._any_floats = any(
            isinstance(photo, np.ndarray) and photo.dtype != np.uint8
            for photo in self._photos
        )
        self._sizes = np.array(sizes, np.int64).reshape(-1, 3)
        self.keys = np.array([name.encode() for name in names], "S")

    def stored_sizes(
        self, rows: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """See `ImageSource`."""
        heights, widths, orientations = self._sizes[rows].T
        return heights, widths, orientations

    def loader(self, rows: np.ndarray) -> ImageLoader:
        """See `ImageSource`."""
        import tensorflow as tf

        rows = np.asarray(rows)
        dtype = tf.float32 if self._any_floats else tf.uint8

        def load(place: Any) -> Any:
            pixels = tf.numpy_function(
                lambda place: self.pixels(int(rows[place])).astype(dtype.name),
                [place],
                dtype,
            )
            return tf.ensure_shape(pixels, (None, None, 3))

        return load

    def pixels(self, row: int) -> np.ndarray:
        """See `PixelSource`."""
        photo, (height, width, orientation) = self._photos[row], self._sizes[row]
        if isinstance(photo, np.ndarray):
            return photo
        try:
            content = _read(photo) if isinstance(photo, Path) else photo
            return _decoded(content, (height, width), orientation)
        except InvalidEntryError as error:
            raise InvalidEntryError(f"{self.keys[row].decode()}: {error}") from error

    def part(self, rows: np.ndarray) -> tuple[ImageSource, np.ndarray]:
        """See `ImageSource`: these photos alone."""
        return GivenPhotos([self._photos[row] for row in rows]), np.arange(len(rows))

    @property
    def first_files(self) -> list[Path]:
        """See `ImageSource`."""
        return [p for p in self._photos[:FIRST_FILES] if isinstance(p, Path)]

    def first_damaged(self, rows: Iterable[int]) -> DamagedImage | None:
        """See `ImageSource`; the error is an `InvalidEntryError`."""
        for row in rows:
            try:
                self.pixels(int(row))
            except InvalidEntryError as error:
                return DamagedImage(int(row), error)
        return None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidEntryError(f"file cannot be read: {error.strerror}") from error


def _decoded(content: bytes, size: tuple[int, int], orientation: int) -> np.ndarray:
    """Decodes a photo of which height and width are known, upright.

    Raises:
        InvalidEntryError: It is damaged, or has another size.
    """
    if image_header_of(content)[:2] != size:
        raise InvalidEntryError(_CHANGED)
    return decode_image(content, orientation)


def photo_list(photos: Any) -> list[Any]:
    """Returns photos, as `GivenPhotos` takes them, as a list."""
    lone = isinstance(photos, str | bytes | bytearray | Path | Image.Image)
    if lone or getattr(photos, "ndim", 0) in (2, 3):
        return [photos]
    return list(photos)


def photo_names(photos: Sequence[Any]) -> list[str]:
    """Returns what photos are called: their paths; numbers where they have none."""
    return [
        str(photo) if isinstance(photo, str | Path) else f"photo {row}"
        for row, photo in enumerate(photos)
    ]


def _opened(photo: Any) -> tuple[Any, tuple[int, int, int]]:
    """Returns a photo as a path, bytes or pixels, and its height, width, orientation.

    Raises:
        OSError: A file cannot be read.
        ValueError: It is nothing of these; why.
    """
    if isinstance(photo, str | Path):
        photo = Path(photo)
        with photo.open("rb") as file:
            size = photo.stat().st_size
            return photo, read_image_header(file.fileno(), size)
    if isinstance(photo, bytes | bytearray | memoryview):
        photo = bytes(photo)
        return photo, image_header_of(photo)
    if isinstance(photo, Image.Image):
        photo = ImageOps.exif_transpose(photo).convert("RGB")
    pixels = _pixels_of(np.asarray(photo))
    return pixels, (*pixels.shape[:2], 1)


def _pixels_of(array: np.ndarray) -> np.ndarray:
    """Returns an array of an image as `(height, width, 3)`, from 0 to 255."""
    if array.ndim == 2:
        array = array[..., np.newaxis]
    usable = array.ndim == 3 and array.size and array.shape[2] in (1, 3, 4)
    is_float = np.issubdtype(array.dtype, np.floating)
    if not usable or not (is_float or array.dtype == np.uint8):
        raise ValueError(
            "an array must have the shape (height, width), or with 1, 3 or 4 channels, "
            f"as uint8 or floats in [0, 1]. Received: shape {array.shape}, "
            f"{array.dtype}"
        )
    if is_float:
        if not (array.min() >= 0 and array.max() <= 1):
            raise ValueError(
                "floats must be in [0, 1]. Received values from "
                f"{array.min():g} to {array.max():g}"
            )
        array = array.astype(np.float32) * np.float32(255)
    if array.shape[2] == 1:
        return np.repeat(array, 3, axis=2)
    return array[..., :3]
