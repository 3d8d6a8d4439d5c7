"""How a dataset is built and which one a run reads."""

from __future__ import annotations

from dataclasses import dataclass, field

from vpr_tf.config.partition import CosPlaceConfig, PartitionConfig
from vpr_tf.config.reading import ReadingConfig
from vpr_tf.config.rules import check_choice, check_range


@dataclass(frozen=True)
class DatasetConfig:
    """The prepared dataset that a run reads."""

    path: str = "???"  # folder written by `vpr data build`
    # Name of the partition that training uses; null: `build.partition.name`.
    partition: str | None = None


@dataclass(frozen=True)
class DatabaseAndQueries:
    """Image folders or CSV files of one evaluation set, relative to the source."""

    database: str = "???"
    queries: str = "???"
    # False: any file name will do; predictions are made, recall is not computed.
    queries_have_positions: bool = True


@dataclass(frozen=True)
class BuildConfig:
    """What `vpr data build` reads and how it writes.

    Images come from folders, with their subfolders, or are listed in a CSV file with
    the columns path, latitude, longitude or path, utm_east, utm_north, zone, and if
    known heading_deg, timestamp. The position of an image in a folder is in its name,
    `@utm_east@utm_north@...@.jpg` as of SF-XL, else in its EXIF GPS data.
    """

    source: str = "."  # folder that the entries below are relative to
    train: str | None = None  # image folder or CSV file
    val: DatabaseAndQueries | None = None  # `database`, `queries`, as below
    tests: dict[str, DatabaseAndQueries] = field(default_factory=dict)  # as val
    reading: ReadingConfig = field(default_factory=ReadingConfig)
    partition: PartitionConfig = field(default_factory=CosPlaceConfig)
    images_per_shard: int = 4096
    workers: int = 2
    verify: str = "header"  # or full: decode every image
    max_rejected_fraction: float = 0.01  # of the images of a split; more is an error

    def __post_init__(self) -> None:
        check_range(self, "build", 1, None, "images_per_shard", "workers")
        check_range(self, "build", 0, 1, "max_rejected_fraction")
        check_choice("build.verify", self.verify, ("header", "full"))
