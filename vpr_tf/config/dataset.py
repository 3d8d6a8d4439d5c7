"""How a dataset is built and which one a run reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from vpr_tf.config.rules import check, check_choice, check_range


@dataclass(frozen=True)
class DatasetConfig:
    """The prepared dataset that a run reads."""

    path: str = "???"  # folder written by `vpr data build`
    partition: str = "cosplace"  # name of the partition that training uses


@dataclass(frozen=True)
class PartitionConfig:
    """How positions become classes and groups.

    Each method uses the name, `min_images_per_class` and the fields of its line;
    whatever the other fields say makes no difference.

    - cosplace (CosPlace, arXiv:2204.02287): M, alpha, N, L, and the rules of headings
      and of the order of groups.
    - divide_and_classify (arXiv:2307.08417): M, N and the order of groups. Headings are
      ignored; N * N groups.
    - planet (PlaNet, arXiv:1602.05314): `max_images_per_class`, `s2_max_level`. One
      group of S2 cells as large as the maximum allows.
    - hierarchical (Mueller-Budack et al., ECCV 2018): `max_images_per_level`,
      `s2_max_level`. Three groups, each the cells of planet for its maximum.
    - combinatorial (CPlaNet, arXiv:1808.02130): `s2_base_level`, `num_classes`, `seed`.
      Five groups, each another merging of neighbouring S2 cells.

    The papers of the last three divide the globe and give no settings for a city: the
    defaults suit some ten thousand images; better ones are found on val.
    """

    name: str = "cosplace"
    # or divide_and_classify, planet, hierarchical, combinatorial
    method: str = "cosplace"
    cell_size_m: int = 10  # M
    heading_bin_deg: int = 30  # alpha
    cell_stride: int = 5  # N
    heading_stride: int = 2  # L
    min_images_per_class: int = 10
    group_order: str = "canonical"  # or first_seen, the official order
    missing_heading: str = "reject"  # or ignore: one bin for all headings
    heading_360: str = "zero"  # or own_bin: a bin after the last, as the official code
    max_images_per_class: int = 100  # an S2 cell with more is split
    # of coarse, middle and fine cells
    max_images_per_level: list[int] = field(default_factory=lambda: [500, 200, 100])
    s2_max_level: int = 20  # finest cells, about 9 m wide; 18: 35 m, 22: 2 m
    s2_base_level: int = 19  # cells that are merged, about 17 m wide
    num_classes: int = 200  # of each of the five groups, if the map holds together
    seed: int = 0  # of the merging

    def __post_init__(self) -> None:
        section = "build.partition"
        check_choice(f"{section}.method", self.method, tuple(_USED_FIELDS))
        names = ("cell_size_m", "cell_stride", "heading_stride", "min_images_per_class")
        check_range(self, section, 1, None, *names, "num_classes")
        check_range(self, section, 0, None, "seed")
        check_range(self, section, 1, 360, "heading_bin_deg")
        check_range(self, section, 0, 30, "s2_max_level", "s2_base_level")
        orders = ("canonical", "first_seen")
        check_choice(f"{section}.group_order", self.group_order, orders)
        policies = ("reject", "ignore")
        check_choice(f"{section}.missing_heading", self.missing_heading, policies)
        choices = ("zero", "own_bin")
        check_choice(f"{section}.heading_360", self.heading_360, choices)
        self._check_maxima(section)

    def _check_maxima(self, section: str) -> None:
        minimum, levels = self.min_images_per_class, self.max_images_per_level
        used = _USED_FIELDS[self.method]
        if "max_images_per_class" in used:
            check_range(self, section, minimum, None, "max_images_per_class")
        if "max_images_per_level" in used:
            descending = sorted(set(levels), reverse=True) == list(levels)
            check(
                len(levels) == 3 and descending and levels[-1] >= minimum,
                f"{section}.max_images_per_level",
                "three numbers, each less than the one before (coarse, middle, fine), "
                f"none below `min_images_per_class` ({minimum})",
                list(levels),
            )

    def parameters(self) -> dict[str, Any]:
        """Returns the fields that decide what the partition is, JSON-ready.

        Two configs make the same partition exactly when these are equal.
        """
        used = ("name", "method", *_USED_FIELDS[self.method])
        values = {name: getattr(self, name) for name in used}
        return {**values, **_FIXED_FIELDS.get(self.method, {})}


_GRID_FIELDS = ("cell_size_m", "cell_stride", "min_images_per_class", "group_order")
_HEADING_FIELDS = ("heading_bin_deg", "heading_stride", "missing_heading")
_USED_FIELDS: dict[str, tuple[str, ...]] = {
    "cosplace": (*_GRID_FIELDS, *_HEADING_FIELDS, "heading_360"),
    "divide_and_classify": _GRID_FIELDS,
    "planet": ("min_images_per_class", "max_images_per_class", "s2_max_level"),
    "hierarchical": ("min_images_per_class", "max_images_per_level", "s2_max_level"),
    "combinatorial": ("min_images_per_class", "s2_base_level", "num_classes", "seed"),
}
# A grid without headings is one with a single bin for all.
_FIXED_FIELDS: dict[str, dict[str, Any]] = {
    "divide_and_classify": {
        "heading_bin_deg": 360,
        "heading_stride": 1,
        "missing_heading": "ignore",
    }
}


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
    val: DatabaseAndQueries | None = None
    tests: dict[str, DatabaseAndQueries] = field(default_factory=dict)
    partition: PartitionConfig = field(default_factory=PartitionConfig)
    images_per_shard: int = 4096
    workers: int = 2
    verify: str = "header"  # or full: decode every image
    max_rejected_fraction: float = 0.01

    def __post_init__(self) -> None:
        check_range(self, "build", 1, None, "images_per_shard", "workers")
        check_range(self, "build", 0, 1, "max_rejected_fraction")
        check_choice("build.verify", self.verify, ("header", "full"))
