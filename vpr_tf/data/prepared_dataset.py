"""Opens a dataset folder written by `vpr data build`.

Everything but the pixels is read from memory-mapped columns beside the shards, so
opening a dataset of millions of images costs no time and no memory.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vpr_tf.data.dataset_manifest import DatasetError, read_manifest
from vpr_tf.geo import Positions
from vpr_tf.photos import PhotoTable
from vpr_tf.photos.schema import (
    METADATA_COLUMNS,
    PHOTO_COLUMNS,
    POSITION_COLUMNS,
    table_columns,
)
from vpr_tf.stored_files import read_npy
from vpr_tf.stored_values import from_stored, read_json

# Columns of `<split>.index/<column>.npy`, one entry a record, in shard order.
INDEX_COLUMNS: dict[str, str] = {
    "shard": "<i4",  # position in the manifest's list of the split's shards
    "byte_offset": "<i8",  # of the record's frame in the shard file
    "length": "<i8",  # bytes of the serialized record, without the frame
    **PHOTO_COLUMNS,
    "timestamp": "|S",  # as wide as the longest, like the key
    "key": "|S",
}

# What a column may hold, by the kind of its declared type.
_KINDS = {"i": "iu", "u": "iu", "f": "fiu", "S": "S"}

# Row i of `partitions/<name>/classes.npy` is class_id i; rows are sorted by group, so
# the classes of a group are consecutive and class_index = class_id - first of group.
CLASS_DTYPE = np.dtype(
    [
        ("group_id", "<i4"),
        ("group_east", "<i4"),
        ("group_north", "<i4"),
        ("group_heading", "<i4"),
        ("cell_east_m", "<i8"),
        ("cell_north_m", "<i8"),
        ("heading_bin_deg", "<i4"),
        ("utm_zone", "<i2"),
        ("centre_east_m", "<f8"),
        ("centre_north_m", "<f8"),
        ("num_images", "<i8"),
    ]
)

# Rows of `partitions/<name>/regions.npy`, of partitions of S2 cells: intervals of leaf
# ids, one S2 cell each, sorted by (group of the class, first_leaf). Those of a group
# are disjoint; a class may have several.
REGION_DTYPE = np.dtype(
    [("first_leaf", "<u8"), ("last_leaf", "<u8"), ("class_id", "<i4")]
)


@dataclass(frozen=True)
class EvaluationSet:
    """Names of the splits of one evaluation set.

    Without positions, the queries have `utm_zone` 0 and there is no recall.
    """

    name: str
    database: str
    queries: str
    queries_have_positions: bool = True


def _evaluation_set(name: str, entry: dict[str, Any]) -> EvaluationSet:
    return EvaluationSet(
        name,
        entry["database"],
        entry["queries"],
        entry.get("queries_have_positions", True),
    )


class SplitIndex:
    """Memory-mapped columns of one split, in record order."""

    def __init__(self, name: str, dataset_path: Path, shard_files: list[str]) -> None:
        self.name = name
        self.shard_paths = [str(dataset_path / file) for file in shard_files]
        self._folder = dataset_path / f"{name}.index"

    def column(self, name: str) -> np.ndarray:
        """Returns a column of `INDEX_COLUMNS`, memory-mapped and read-only.

        Raises:
            DatasetError: The file of the column is missing or not an array.
        """
        values = self._read_column(name)
        shape = (len(self),)
        if values.shape != shape:
            raise self._damaged(name, f"it has the shape {values.shape}, not {shape}")
        return values

    def _read_column(self, name: str) -> np.ndarray:
        path = self._folder / f"{name}.npy"
        try:
            values = read_npy(path)
        except (OSError, ValueError) as error:
            raise self._damaged(name, str(error)) from error
        declared = np.dtype(INDEX_COLUMNS[name])
        if values.dtype.kind not in _KINDS[declared.kind] or values.ndim != 1:
            kind = f"{values.dtype} of shape {values.shape}"
            raise self._damaged(name, f"it holds {kind}, not a row of {declared}")
        return values

    def _damaged(self, name: str, reason: str) -> DatasetError:
        return DatasetError(
            f"Cannot read the record index {self._folder / name}.npy: {reason}. Run "
            "`vpr data build` again to complete the dataset."
        )

    @functools.cached_property
    def _num_records(self) -> int:
        return len(self._read_column("shard"))

    def __len__(self) -> int:
        return self._num_records

    @property
    def keys(self) -> np.ndarray:
        """Record keys as bytes, shape `(num_records,)`."""
        return self.column("key")

    def positions(self) -> Positions:
        """Reads where the images were taken."""
        columns = {name: np.array(self.column(name)) for name in POSITION_COLUMNS}
        return Positions(**table_columns(columns))

    def photo_table(self) -> PhotoTable:
        """Reads what is known of the images besides their pixels."""
        columns = {name: np.array(self.column(name)) for name in METADATA_COLUMNS}
        key = {"key": np.array(self.keys)}
        return PhotoTable.from_columns(table_columns(columns) | key)

    @property
    def utm_m(self) -> np.ndarray:
        """UTM east and north in metres, float64, shape `(num_records, 2)`."""
        return (
            np.stack([self.column("utm_east_cm"), self.column("utm_north_cm")], 1)
            / 100.0
        )


@dataclass(frozen=True)
class Partition:
    """Classes and groups over the train split.

    Attributes:
        name: Name of the folder under `partitions/`.
        parameters: The `PartitionConfig` fields that made it.
        classes: Rows of `CLASS_DTYPE`; the row number is the class id.
        class_offsets: `(num_classes + 1,)`; the records of class c are
            `record_ids[class_offsets[c]:class_offsets[c + 1]]`.
        record_ids: Positions in the train split's index; an image may be in a class
            of several groups.
        regions: Rows of `REGION_DTYPE`, the ground of each class; None for a grid.
    """

    name: str
    parameters: dict[str, Any]
    classes: np.ndarray
    class_offsets: np.ndarray
    record_ids: np.ndarray
    regions: np.ndarray | None = None

    @property
    def has_headings(self) -> bool:
        """Whether classes of the same cell differ in their heading."""
        ignored = self.parameters.get("missing_heading") == "ignore"
        return self.regions is None and not ignored

    @property
    def num_groups(self) -> int:
        """Number of groups that hold at least one class."""
        return int(self.classes["group_id"][-1]) + 1 if len(self.classes) else 0

    def classes_of_group(self, group_id: int) -> range:
        """Returns the consecutive class ids of one group."""
        first, last = np.searchsorted(
            self.classes["group_id"], [group_id, group_id + 1]
        )
        return range(int(first), int(last))


class PreparedDataset:
    """A dataset folder: manifest, shards, record indexes and partitions.

    Args:
        path: The folder.

    Raises:
        DatasetError: The folder has no manifest, the build is unfinished, or the
            format version is another one.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        manifest = self.path / "manifest.json"
        if not manifest.is_file():
            raise DatasetError(
                f"No prepared dataset at {self.path} (manifest.json is missing). "
                "Build it with `vpr data build --config FILE`; an "
                "interrupted build continues."
            )
        self.manifest: dict[str, Any] = read_manifest(manifest)

    @property
    def fingerprint(self) -> str:
        """Hash over all shards of the build: equal when its records are equal.

        Test sets that were added later have their own, see `split_fingerprint`.
        """
        return str(self.manifest["dataset_fingerprint"])

    def split_fingerprint(self, name: str) -> str:
        """Hash over what the split was built or added with."""
        for added in self.manifest.get("added_tests", {}).values():
            if name in added["splits"]:
                return str(added["fingerprint"])
        return self.fingerprint

    @property
    def split_names(self) -> list[str]:
        """Names such as `train`, `val-database`, `test-night-queries`."""
        return list(self.manifest["splits"])

    @property
    def val(self) -> EvaluationSet | None:
        """The validation set, if the dataset has one."""
        entry = self.manifest.get("val")
        return entry and _evaluation_set("val", entry)

    def evaluation_sets(self, names: Sequence[str] = ()) -> list[EvaluationSet]:
        """Returns evaluation sets by their names, all test sets for no name.

        Raises:
            DatasetError: There is no such set.
        """
        available = dict(self.tests)
        if self.val is not None:
            available = {"val": self.val, **available}
        chosen = list(names) or list(self.tests)
        unknown = [name for name in chosen if name not in available]
        if unknown or not chosen:
            raise DatasetError(
                f"{self.path} has no evaluation set "
                f"{', '.join(map(repr, unknown)) or 'for testing'}. It has: "
                f"{', '.join(available) or 'none'}. Choose by --set, or add one with "
                "`vpr data add-test --config FILE NAME=DATABASE,QUERIES`."
            )
        return [available[name] for name in chosen]

    @property
    def tests(self) -> dict[str, EvaluationSet]:
        """Test sets by name."""
        return {
            name: _evaluation_set(name, entry)
            for name, entry in self.manifest["tests"].items()
        }

    def split(self, name: str) -> SplitIndex:
        """Returns the record index of one split.

        Raises:
            DatasetError: There is no such split.
        """
        if name not in self.manifest["splits"]:
            raise DatasetError(
                f"{self.path} has no split {name!r}. It has: "
                + ", ".join(self.split_names)
            )
        shards = self.manifest["splits"][name]["shards"]
        return SplitIndex(name, self.path, [shard["file"] for shard in shards])

    @functools.cached_property
    def partition_names(self) -> list[str]:
        """Names of the partitions of the train split."""
        folder = self.path / "partitions"
        return sorted(path.parent.name for path in folder.glob("*/partition.json"))

    def partition(self, name: str) -> Partition:
        """Opens a partition of the train split.

        Raises:
            DatasetError: There is no such partition.
        """
        if name not in self.partition_names:
            raise DatasetError(
                f"{self.path} has no partition {name!r}. It has: "
                f"{', '.join(self.partition_names) or 'none'}. Add one with "
                "`vpr data partition --config FILE`."
            )
        folder = self.path / "partitions" / name
        try:
            arrays = {
                column: read_npy(folder / f"{column}.npy", mapped=False)
                for column in ("classes", "class_offsets", "record_ids", "regions")
                if column != "regions" or (folder / "regions.npy").is_file()
            }
            description = read_json(folder / "partition.json")
            parameters = from_stored(_Description, description, more=True).parameters
        except (OSError, ValueError) as error:
            raise DatasetError(
                f"Cannot read the partition {folder}: {error}. Add it again with "
                "`vpr data partition --config FILE`."
            ) from error
        return Partition(name, parameters, **arrays)


@dataclass(frozen=True)
class _Description:
    parameters: dict[str, Any]
