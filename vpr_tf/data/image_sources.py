"""Images that are read by their row numbers, and the batches that they come in."""

from __future__ import annotations

import abc
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from vpr_tf.config import Preprocessing
from vpr_tf.data.image_sizes import evaluation_size, upright_size

if TYPE_CHECKING:
    from vpr_tf.data.records import EncodedImage

# Of decoded images that are read at a time: 7 of the most pixels that a photo may have.
_MOST_DECODED_BYTES = 2 << 30

FIRST_FILES = 8

# Inside the function of a `tf.data.Dataset.map`: from a place in the list of rows to
# the upright image `(height, width, 3)`, in grey levels from 0 to 255.
ImageLoader = Callable[[Any], Any]


class DamagedImage(NamedTuple):
    """An image that cannot be read, and the error that names it."""

    row: int
    error: ValueError


class DamagedImageError(Exception):
    """Ends the reading of batches at an image that cannot be read.

    Attributes:
        image: Which one, and why.
    """

    def __init__(self, image: DamagedImage) -> None:
        super().__init__(str(image.error))
        self.image = image


class ImageSource(abc.ABC):
    """Images that are read in any order by their row numbers.

    Attributes:
        name: What they are, for people.
        keys: Name of each image, UTF-8 bytes.
    """

    name: str
    keys: np.ndarray

    def __len__(self) -> int:
        """Number of images."""
        return len(self.keys)

    @abc.abstractmethod
    def stored_sizes(
        self, rows: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns heights and widths of the stored pixels, and EXIF orientations."""

    @abc.abstractmethod
    def loader(self, rows: np.ndarray) -> ImageLoader:
        """Returns what reads the listed images, int64 row numbers, in a graph."""

    @abc.abstractmethod
    def part(self, rows: np.ndarray) -> tuple[ImageSource, np.ndarray]:
        """Returns what other processes read images by, and their rows in it.

        Args:
            rows: The images, int64 row numbers, ascending.
        """

    @property
    @abc.abstractmethod
    def first_files(self) -> list[Path]:
        """A few of the files that the images are read from; none of those in memory."""

    @abc.abstractmethod
    def first_damaged(self, rows: Iterable[int]) -> DamagedImage | None:
        """Reads images one by one, outside of a graph, up to one that cannot be."""


class EncodedSource(ImageSource):
    """Images of files, which can be cropped while they are decoded."""

    @abc.abstractmethod
    def encoded_loader(self, rows: np.ndarray) -> Callable[[Any], EncodedImage]:
        """Returns what reads the listed images, as `loader`, without decoding them."""


class PixelSource(ImageSource):
    """Images that can be read without TensorFlow, too."""

    @abc.abstractmethod
    def pixels(self, row: int) -> np.ndarray:
        """Reads an image: upright `(height, width, 3)`, grey levels from 0 to 255.

        Raises:
            InvalidEntryError: It cannot be read or decoded; why.
        """


class BatchPlan(NamedTuple):
    """Records in reading order, cut into batches of one image size each.

    Attributes:
        record_ids: int64 `(num_records,)`.
        batch_ids: Batch of each record, int64, not decreasing.
        batch_sizes: Records of each batch, int64 `(num_batches,)`.
    """

    record_ids: np.ndarray
    batch_ids: np.ndarray
    batch_sizes: np.ndarray


def plan_batches(
    record_ids: np.ndarray, heights: np.ndarray, widths: np.ndarray, batch_size: int
) -> BatchPlan:
    """Groups records of equal size, in their order, into batches.

    Every batch is full but the last of each size. Vectorised: a million records take
    a fraction of a second.

    Args:
        record_ids: `(num_records,)`.
        heights: Final height of each record's image.
        widths: Final width.
        batch_size: Records of a full batch.
    """
    record_ids = np.asarray(record_ids, np.int64)
    sizes = heights.astype(np.int64) << 32 | widths.astype(np.int64)
    order = np.argsort(sizes, kind="stable")
    _, counts = np.unique(sizes, return_counts=True)
    batches_per_size = -(-counts // batch_size)
    batch_sizes = np.full(batches_per_size.sum(), batch_size, np.int64)
    last_of_size = np.cumsum(batches_per_size) - 1
    batch_sizes[last_of_size] = counts - (batches_per_size - 1) * batch_size
    batch_ids = np.repeat(np.arange(len(batch_sizes), dtype=np.int64), batch_sizes)
    return BatchPlan(record_ids[order], batch_ids, batch_sizes)


@dataclass(frozen=True, eq=False)
class BatchReader(abc.ABC):
    """Reads images of a source, upright and resized, in batches of one size.

    Attributes:
        source: The images.
        preprocessing: Resize and size.
        batch_size: Images of a full batch.
    """

    source: ImageSource
    preprocessing: Preprocessing
    batch_size: int = 16

    def plan(self, rows: np.ndarray) -> BatchPlan:
        """Plans the batches; their order is the order of reading."""
        heights, widths, orientations = self.source.stored_sizes(rows)
        size = upright_size(
            heights.astype(np.int64), widths.astype(np.int64), orientations
        )
        sizes = evaluation_size(*size, self.preprocessing)
        return plan_batches(rows, *sizes, self.batch_size)

    @abc.abstractmethod
    def iterate(self, rows: np.ndarray) -> Iterator[tuple[Any, np.ndarray]]:
        """Yields the listed images once.

        Args:
            rows: int64 row numbers.

        Yields:
            Float32 images in [0, 1], an array or a tensor of shape
            `(batch, height, width, 3)`, and their rows, int64. Batches are ordered by
            image size, then by `rows`; a batch that is not full is the last of its
            size.

        Raises:
            DamagedImageError: An image cannot be read; those before it were yielded,
                but for up to a batch.
            ValueError: A row is not in the source.
        """

    def images_at_a_time(self, rows: np.ndarray) -> int:
        """Returns how many images may be decoded at once."""
        heights, widths, _ = self.source.stored_sizes(rows)
        pixels = heights.astype(np.int64) * widths
        largest = 3 * int(pixels.max(initial=1))
        # More than the threads: images are made ahead while a batch is put together.
        wanted = 4 * (os.cpu_count() or 1)
        return max(1, min(wanted, _MOST_DECODED_BYTES // largest))
