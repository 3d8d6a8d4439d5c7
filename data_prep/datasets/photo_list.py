"""What an adapter finds in a source folder: the photos of a split, one row a photo."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from data_prep.datasets.description import DatasetDescription
from vpr_tf.config import ReadingConfig

LAT_LON = ("path", "latitude", "longitude")
UTM = ("path", "utm_east", "utm_north", "zone")
LOCAL = ("path", "x_m", "y_m")


@dataclass(frozen=True)
class PhotoList:
    """The photos of one split.

    Attributes:
        split: Its name, such as `test-queries`.
        columns: Names of the values of a row, as tables of photos have them; the
            first is `path`, relative to the source folder.
        rows: The photos, in order, as text. They are read once.
        folders: Folders of the source that hold photos of this dataset alone, so that
            a photo in them that no list names is one too many.
        left_out: Photos that the dataset has and the split does not, with the reason.
            It is whole when `rows` were read.
        refused: Photos that cannot be listed, with the reason; likewise.
    """

    split: str
    columns: Sequence[str]
    rows: Iterable[Sequence[str]]
    folders: Sequence[str] = ()
    left_out: list[tuple[str, str]] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)

    @property
    def has_positions(self) -> bool:
        """Whether rows say where photos were taken."""
        return any({*kind} <= {*self.columns} for kind in (LAT_LON, UTM, LOCAL))


@dataclass(frozen=True)
class Adapter:
    """A dataset and how its photos are found.

    Attributes:
        description: What it is.
        find: Yields the lists of the splits that lie in a source folder. Raises
            `DataPrepError` where a file of the dataset is not as it should be.
    """

    description: DatasetDescription
    find: Callable[[Path, ReadingConfig], Iterator[PhotoList]]
