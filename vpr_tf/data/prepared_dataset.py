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
from vpr_tf.data.partition import Partition, read_partition
from vpr_tf.data.stored_columns import read_checked
from vpr_tf.geo import Positions
from vpr_tf.photos import PhotoTable
from vpr_tf.photos.schema import (
    GROUP_COLUMNS,
    METADATA_COLUMNS,
    NO_GROUPS,
    PHOTO_COLUMNS,
    POSITION_COLUMNS,
    table_columns,
)
from vpr_tf.stored_files import StoredFile
from vpr_tf.stored_paths import StoredPathError, found_inside, inside
from vpr_tf.stored_values import from_stored

# Columns of `<split>.index/<column>.npy`, one entry a record, in shard order.
INDEX_COLUMNS: dict[str, str] = {
    "shard": "<i4",  # position in the manifest's list of the split's shards
    "byte_offset": "<i8",  # of the record's frame in the shard file
    "length": "<i8",  # bytes of the serialized record, without the frame
    **PHOTO_COLUMNS,
    "timestamp": "|S",  # as wide as the longest, like the key
    "key": "|S",
}

# Of these only what is known of a photo of the split; see `SplitIndex.groups`.
_COLUMNS = INDEX_COLUMNS | GROUP_COLUMNS

# What a column may hold, by the kind of its declared type.
_KINDS = {"i": "iu", "u": "iu", "f": "fiu", "S": "S"}


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

    def __init__(
        self,
        name: str,
        dataset_path: Path,
        shard_files: list[str],
        columns: dict[str, StoredFile],
    ) -> None:
        self.name = name
        self._dataset_path = dataset_path
        self._shard_files = shard_files
        self._columns = columns

    @functools.cached_property
    def shard_paths(self) -> list[str]:
        """Where the records lie.

        Raises:
            DatasetError: A shard is a link.
        """
        try:
            return [str(inside(self._dataset_path, file)) for file in self._shard_files]
        except StoredPathError as error:
            raise DatasetError(str(error)) from error

    @property
    def has_checksums(self) -> bool:
        """Whether altered columns are noticed; not in datasets of older versions."""
        return bool(self._columns)

    def column(self, name: str) -> np.ndarray:
        """Returns a column of `INDEX_COLUMNS`, memory-mapped and read-only.

        Or one of `schema.GROUP_COLUMNS`: what photos belong together.

        Raises:
            DatasetError: The file of the column is missing, or not what was written.
        """
        if name in GROUP_COLUMNS and name not in self._columns:
            unknown = getattr(NO_GROUPS, name)
            dtype = "|S1" if isinstance(unknown, str) else GROUP_COLUMNS[name]
            return np.full(len(self), unknown, dtype)
        values = self._read_column(name)
        shape = (len(self),)
        if values.shape != shape:
            raise self._damaged(name, f"it has the shape {values.shape}, not {shape}")
        return values

    def _read_column(self, name: str) -> np.ndarray:
        folder = f"{self.name}.index"
        try:
            path = inside(self._dataset_path, folder, f"{name}.npy")
            values = read_checked(path, self._columns.get(name))
        except (OSError, ValueError) as error:
            raise self._damaged(name, str(error)) from error
        declared = np.dtype(_COLUMNS[name])
        if values.dtype.kind not in _KINDS[declared.kind] or values.ndim != 1:
            kind = f"{values.dtype} of shape {values.shape}"
            raise self._damaged(name, f"it holds {kind}, not a row of {declared}")
        return values

    def _damaged(self, name: str, reason: str) -> DatasetError:
        return DatasetError(
            f"Cannot read the record index {self._dataset_path / self.name}.index/"
            f"{name}.npy: {reason}. Restore it from a copy, or run `vpr data build` "
            "again to complete the dataset."
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
        try:
            manifest = inside(self.path, "manifest.json")
        except StoredPathError as error:
            raise DatasetError(str(error)) from error
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
        entry = self.manifest["splits"][name]
        columns = {
            column: from_stored(StoredFile, stored)
            for column, stored in entry.get("columns", {}).items()
        }
        files = [shard["file"] for shard in entry["shards"]]
        return SplitIndex(name, self.path, files, columns)

    @functools.cached_property
    def partition_names(self) -> list[str]:
        """Names of the partitions of the train split."""
        found = found_inside(self.path, "partitions/*/partition.json")
        return sorted(path.parent.name for path in found)

    def partition(self, name: str) -> Partition:
        """Opens a partition of the train split.

        Raises:
            DatasetError: There is no such partition, or it is damaged.
        """
        try:
            folder = inside(self.path, "partitions", name)
            if name in self.partition_names:
                return read_partition(folder, name)
        except (OSError, ValueError) as error:
            raise DatasetError(
                f"Cannot read the partition {self.path}/partitions/{name}: {error}. "
                "Add it again with `vpr data partition --config FILE`."
            ) from error
        raise DatasetError(
            f"{self.path} has no partition {name!r}. It has: "
            f"{', '.join(self.partition_names) or 'none'}. Add one with "
            "`vpr data partition --config FILE`."
        )
