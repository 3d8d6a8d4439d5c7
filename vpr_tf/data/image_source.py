"""Where the images of a pipeline come from: records of a split, or other files."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np


class DamagedImage(NamedTuple):
    """An image that cannot be read, and the error that names it."""

    row: int
    error: ValueError


# Inside the function of a `tf.data.Dataset.map`: from a place in the list of rows to
# the upright image `(height, width, 3)`, in grey levels from 0 to 255.
ImageLoader = Callable[[Any], Any]


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
    def first_damaged(self, rows: Iterable[int]) -> DamagedImage | None:
        """Reads images one by one, outside of a graph, up to one that cannot be."""
