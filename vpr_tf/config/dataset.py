"""How a dataset is built, a dataclass for each partition, and which one a run reads."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from vpr_tf.config.area import AreaConfig
from vpr_tf.config.quality import QualityConfig
from vpr_tf.config.rules import (
    LARGEST_SEED,
    MOST_WORKERS,
    ConfigError,
    Methods,
    check,
    check_choice,
    check_name,
    check_range,
)

_SECTION = "build.partition"


@dataclass(frozen=True)
class PartitionConfig:
    """How positions become classes and groups.

    The papers of the methods with S2 cells divide the globe and give no settings for a
    city: the defaults suit some ten thousand images; better ones are found on val.
    """

    name: str = "cosplace"  # of the folder below `partitions/`, and for training
    method: str = "cosplace"
    min_images_per_class: int = 10  # classes with fewer are dropped

    def __post_init__(self) -> None:
        PARTITIONS.check_class(self)
        check_name(f"{_SECTION}.name", self.name)
        check_range(self, _SECTION, 1, None, "min_images_per_class")

    def parameters(self) -> dict[str, Any]:
        """Returns what decides what the partition is, JSON-ready.

        Two configs make the same partition exactly when these are equal.
        """
        return dataclasses.asdict(self)

    @staticmethod
    def from_parameters(parameters: Mapping[str, Any]) -> PartitionConfig:
        """Makes the config of a partition on disk from its `parameters`."""
        return PARTITIONS.create(**PARTITIONS.own_values(parameters))


@dataclass(frozen=True)
class CellsConfig(PartitionConfig):
    """Square cells, and groups of cells that are no neighbours."""

    cell_size_m: int = 10  # M
    cell_stride: int = 5  # N
    group_order: str = "canonical"  # or first_seen, the official order
    # Of a class with more, so many stay, evenly spaced in the order of the split; the
    # others are in no class. null: all.
    images_kept_per_class: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(self, _SECTION, 1, None, "cell_size_m", "cell_stride")
        if self.images_kept_per_class is not None:
            minimum = self.min_images_per_class
            check_range(self, _SECTION, minimum, None, "images_kept_per_class")
        orders = ("canonical", "first_seen")
        check_choice(f"{_SECTION}.group_order", self.group_order, orders)


@dataclass(frozen=True)
class CosPlaceConfig(CellsConfig):
    """Cells and heading bins (CosPlace, arXiv:2204.02287); N * N * L groups."""

    heading_bin_deg: int = 30  # alpha
    heading_stride: int = 2  # L
    missing_heading: str = "reject"  # or ignore: one bin for all headings
    heading_360: str = "zero"  # or own_bin: a bin after the last, as the official code

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(self, _SECTION, 1, None, "heading_stride")
        check_range(self, _SECTION, 1, 360, "heading_bin_deg")
        policies = ("reject", "ignore")
        check_choice(f"{_SECTION}.missing_heading", self.missing_heading, policies)
        choices = ("zero", "own_bin")
        check_choice(f"{_SECTION}.heading_360", self.heading_360, choices)


@dataclass(frozen=True)
class DivideAndClassifyConfig(CellsConfig):
    """Cells without headings (Divide&Classify, arXiv:2307.08417); N * N groups."""

    method: str = "divide_and_classify"
    # A grid without headings is one with a single bin for all.
    heading_bin_deg: ClassVar[int] = 360
    heading_stride: ClassVar[int] = 1
    missing_heading: ClassVar[str] = "ignore"
    heading_360: ClassVar[str] = "zero"

    def parameters(self) -> dict[str, Any]:
        """Adds the bin that stands for no headings."""
        names = ("heading_bin_deg", "heading_stride", "missing_heading")
        return super().parameters() | {name: getattr(self, name) for name in names}


@dataclass(frozen=True)
class EigenPlacesConfig(PartitionConfig):
    """Cells seen from two sides (EigenPlaces, arXiv:2308.10832); 2 * N * N groups.

    Of crops, those of one position are a panorama, as in SF-XL. A class of a cell holds
    of each panorama the crop that looks nearest to the cell's focal point. Of whole
    panoramas, training cuts the crop that looks at it.
    """

    method: str = "eigenplaces"
    min_images_per_class: int = 5  # panoramas of a cell, and photos of a class
    cell_size_m: int = 15  # M
    cell_stride: int = 3  # N
    # crops; or panoramas: photos that go once around, whose heading is that of their
    # middle column.
    photos: str = "crops"
    focal_distance_m: float = 10.0  # of a focal point from the middle of the panoramas
    # A crop that looks farther past the focal point does not show it, and is in no
    # class; half the field of view. Of no effect with panoramas.
    largest_turn_deg: float = 30.0
    # The cells are a grid without headings, of which nothing is left out.
    heading_bin_deg: ClassVar[int] = 360
    heading_stride: ClassVar[int] = 1
    missing_heading: ClassVar[str] = "ignore"
    heading_360: ClassVar[str] = "zero"
    group_order: ClassVar[str] = "canonical"
    images_kept_per_class: ClassVar[int | None] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(self, _SECTION, 1, None, "cell_size_m", "cell_stride")
        check_range(self, _SECTION, 0, 1000, "focal_distance_m")
        check_range(self, _SECTION, 0, 180, "largest_turn_deg")
        check_choice(f"{_SECTION}.photos", self.photos, ("crops", "panoramas"))

    def parameters(self) -> dict[str, Any]:
        """Adds the bin that stands for no headings."""
        names = ("heading_bin_deg", "heading_stride", "missing_heading")
        return super().parameters() | {name: getattr(self, name) for name in names}


# What the grid takes: cells, and heading bins, be it one for all headings.
GridConfig = CosPlaceConfig | DivideAndClassifyConfig | EigenPlacesConfig


@dataclass(frozen=True)
class PlanetConfig(PartitionConfig):
    """One group of S2 cells as large as allowed (PlaNet, arXiv:1602.05314)."""

    method: str = "planet"
    max_images_per_class: int = 100  # an S2 cell with more is split
    s2_max_level: int = 20  # finest cells, about 9 m wide; 18: 35 m, 22: 2 m

    def __post_init__(self) -> None:
        super().__post_init__()
        minimum = self.min_images_per_class
        check_range(self, _SECTION, minimum, None, "max_images_per_class")
        check_range(self, _SECTION, 0, 30, "s2_max_level")


@dataclass(frozen=True)
class HierarchicalConfig(PartitionConfig):
    """Three groups, each the cells of planet (Mueller-Budack et al., ECCV 2018)."""

    method: str = "hierarchical"
    # of coarse, middle and fine cells
    max_images_per_level: list[int] = field(default_factory=lambda: [500, 200, 100])
    s2_max_level: int = 20  # finest cells, about 9 m wide

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(self, _SECTION, 0, 30, "s2_max_level")
        minimum, levels = self.min_images_per_class, list(self.max_images_per_level)
        descending = sorted(set(levels), reverse=True) == levels
        check(
            len(levels) == 3 and descending and levels[-1] >= minimum,
            f"{_SECTION}.max_images_per_level",
            "three numbers, each less than the one before (coarse, middle, fine), "
            f"none below `min_images_per_class` ({minimum})",
            levels,
        )


@dataclass(frozen=True)
class CombinatorialConfig(PartitionConfig):
    """Five groups, each another merging of neighbours (CPlaNet, arXiv:1808.02130)."""

    method: str = "combinatorial"
    s2_base_level: int = 19  # cells that are merged, about 17 m wide
    num_classes: int = 200  # of each of the five groups, if the map holds together
    seed: int = 0  # of the merging

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(self, _SECTION, 0, 30, "s2_base_level")
        check_range(self, _SECTION, 1, None, "num_classes")
        check_range(self, _SECTION, 0, LARGEST_SEED, "seed")


@dataclass(frozen=True)
class PlaceIdsConfig(PartitionConfig):
    """The numbered places of the photos (GSV-Cities, arXiv:2210.10239); one group.

    A class is one number of the column `place_id` of CSV tables; photos without a
    number are in none.
    """

    method: str = "place_ids"
    min_images_per_class: int = 4  # as GSV-Cities, of whose places a batch has 4 each


def grid_config(parameters: Mapping[str, Any]) -> GridConfig:
    """Returns the config of a partition on disk that is a grid.

    Raises:
        ConfigError: It is of another kind.
    """
    config = PartitionConfig.from_parameters(parameters)
    if not isinstance(config, GridConfig):
        raise ConfigError(f"The partition {config.name!r} is no grid: {config.method}.")
    return config


PARTITIONS: Methods[PartitionConfig] = Methods(
    path=_SECTION,
    key="method",
    classes={
        "cosplace": CosPlaceConfig,
        "divide_and_classify": DivideAndClassifyConfig,
        "eigenplaces": EigenPlacesConfig,
        "planet": PlanetConfig,
        "hierarchical": HierarchicalConfig,
        "combinatorial": CombinatorialConfig,
        "place_ids": PlaceIdsConfig,
    },
    former_fields=frozenset(
        (
            *("name", "method", "cell_size_m", "heading_bin_deg", "cell_stride"),
            *("heading_stride", "min_images_per_class", "group_order"),
            *("missing_heading", "heading_360", "max_images_per_class"),
            *("max_images_per_level", "s2_max_level", "s2_base_level"),
            *("num_classes", "seed"),
        )
    ),
)


@dataclass(frozen=True)
class DatasetConfig:
    """The prepared dataset that a run reads."""

    path: str = "???"  # folder written by `vpr data build`
    # Name of the partition that training uses; null: `build.partition.name`.
    partition: str | None = None

    def __post_init__(self) -> None:
        if self.partition is not None:
            check_name("dataset.partition", self.partition)


@dataclass(frozen=True)
class DatabaseAndQueries:
    """Image folders or CSV files of one evaluation set, relative to the source."""

    database: str = "???"
    queries: str = "???"
    # False: any file name will do; predictions are made, recall is not computed.
    queries_have_positions: bool = True
    # False: of a challenge whose ground truth is kept; then the queries have none too.
    database_has_positions: bool = True

    def __post_init__(self) -> None:
        check(
            self.database_has_positions or not self.queries_have_positions,
            "database_has_positions",
            "true where `queries_have_positions` is: nothing can be near such a "
            "database",
            self.database_has_positions,
        )


_ZONE = re.compile(r"local|[+-]?[0-9]{1,2}[A-Za-z]?")
_PHOTO_COLUMNS = (
    *("path", "latitude", "longitude", "utm_east", "utm_north", "zone"),
    *("heading_deg", "timestamp", "place_id", "sequence", "frame"),
)


@dataclass(frozen=True)
class ReadingConfig:
    """How names and tables of photos are read."""

    # A photo whose UTM fields and degrees are farther apart is rejected.
    max_disagreement_m: float = 100.0
    # Between the fields of a CSV file, such as ; or tab; null: what its header has.
    delimiter: str | None = None
    # Of a CSV file, where they have unusual names, such as {latitude: breite}.
    columns: dict[str, str] = field(default_factory=dict)
    # UTM zone of names and tables without one, such as 10S or -56; local: all are
    # metres from an origin that is not known; then latitude and longitude are unknown.
    zone: str | None = None
    # What the paths in CSV files are relative to; null: the folder of each file.
    folder: str | None = None

    def __post_init__(self) -> None:
        check_range(self, "build.reading", 0, None, "max_disagreement_m")
        if self.delimiter in ("tab", "\\t"):
            object.__setattr__(self, "delimiter", "\t")
        check(
            self.delimiter is None or len(self.delimiter) == 1,
            "build.reading.delimiter",
            "one character, or tab",
            self.delimiter,
        )
        for name in self.columns:
            check_choice("build.reading.columns", name, _PHOTO_COLUMNS)
        check(
            len(set(self.columns.values())) == len(self.columns),
            "build.reading.columns",
            "of another column for each field",
            self.columns,
        )
        if self.zone is not None:
            known = _ZONE.fullmatch(self.zone) is not None
            check(
                known,
                "build.reading.zone",
                "a UTM zone as 10S or -56, or local",
                self.zone,
            )


DEFAULT_READING = ReadingConfig()


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
    area: AreaConfig = field(default_factory=AreaConfig)
    quality: QualityConfig = field(default_factory=QualityConfig)
    partition: PartitionConfig = field(default_factory=CosPlaceConfig)
    images_per_shard: int = 4096
    workers: int = 2
    verify: str = "header"  # or full: decode every image
    max_rejected_fraction: float = 0.01  # of the images of a split; more is an error

    def __post_init__(self) -> None:
        for name in self.tests:
            check_name("build.tests", name)
        check_range(self, "build", 1, None, "images_per_shard")
        check_range(self, "build", 1, MOST_WORKERS, "workers")
        check_range(self, "build", 0, 1, "max_rejected_fraction")
        check_choice("build.verify", self.verify, ("header", "full"))
