"""How a dataset is built and which one a run reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from vpr_tf.config.rules import check_choice, check_range


@dataclass(frozen=True)
class DatasetConfig:
    """The prepared dataset that a run reads."""

    path: str = "???"  # folder written by `python -m data_prep build`
    partition: str = "cosplace"  # name of the partition that training uses


@dataclass(frozen=True)
class PartitionConfig:
    """How positions become classes and groups.

    A method uses some of the fields; the values of the others do not matter.

    - cosplace (arXiv:2204.02287): all fields but those of other methods.
    - divide_and_classify (arXiv:2307.08417): M, N, the minimum and the order of the
      groups. Headings are ignored: one bin, N * N groups.
    """

    name: str = "cosplace"
    method: str = "cosplace"  # or divide_and_classify
    cell_size_m: int = 10  # M
    heading_bin_deg: int = 30  # alpha
    cell_stride: int = 5  # N
    heading_stride: int = 2  # L
    min_images_per_class: int = 10
    group_order: str = "canonical"  # or first_seen, the official order
    missing_heading: str = "reject"  # or ignore: one bin for all headings
    heading_360: str = "zero"  # or own_bin: a bin after the last, as the official code

    def __post_init__(self) -> None:
        section = "build.partition"
        check_choice(f"{section}.method", self.method, tuple(_USED_FIELDS))
        names = ("cell_size_m", "cell_stride", "heading_stride", "min_images_per_class")
        check_range(self, section, 1, None, *names)
        check_range(self, section, 1, 360, "heading_bin_deg")
        orders = ("canonical", "first_seen")
        check_choice(f"{section}.group_order", self.group_order, orders)
        policies = ("reject", "ignore")
        check_choice(f"{section}.missing_heading", self.missing_heading, policies)
        choices = ("zero", "own_bin")
        check_choice(f"{section}.heading_360", self.heading_360, choices)

    def applied(self) -> PartitionConfig:
        """Returns the config with fixed values in the fields that the method ignores.

        Two configs make the same partition exactly when these are equal. A method
        without headings has one bin of 360 degrees.
        """
        used = {"name", "method", *_USED_FIELDS[self.method]}
        kept = {name: getattr(self, name) for name in used}
        one_bin: dict[str, Any] = {
            "heading_bin_deg": 360,
            "heading_stride": 1,
            "missing_heading": "ignore",
        }
        return PartitionConfig(**{**one_bin, **kept})


_GRID_FIELDS = ("cell_size_m", "cell_stride", "min_images_per_class", "group_order")
_HEADING_FIELDS = (
    "heading_bin_deg",
    "heading_stride",
    "missing_heading",
    "heading_360",
)
_USED_FIELDS = {
    "cosplace": (*_GRID_FIELDS, *_HEADING_FIELDS),
    "divide_and_classify": _GRID_FIELDS,
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
    """What `python -m data_prep build` reads and how it writes."""

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
