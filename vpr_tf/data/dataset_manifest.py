"""What must hold for the manifest.json of a dataset."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vpr_tf.config import check_name
from vpr_tf.stored_files import StoredFile
from vpr_tf.stored_paths import is_inside
from vpr_tf.stored_values import from_stored, read_json

FORMAT_VERSION = 1


class DatasetError(ValueError):
    """A dataset folder that is missing, damaged or lacks what is needed."""


@dataclass(frozen=True)
class _Shard:
    file: str


@dataclass(frozen=True)
class _Split:
    shards: list[_Shard]
    columns: dict[str, StoredFile] = field(default_factory=dict)


@dataclass(frozen=True)
class _EvaluationSet:
    database: str
    queries: str
    queries_have_positions: bool = True


@dataclass(frozen=True)
class _AddedTest:
    splits: list[str]
    fingerprint: str


@dataclass(frozen=True)
class _Manifest:
    """The fields that are read; others are for people and for building."""

    dataset_fingerprint: str
    splits: dict[str, _Split]
    tests: dict[str, _EvaluationSet]
    val: _EvaluationSet | None = None
    added_tests: dict[str, _AddedTest] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_name("dataset_fingerprint", self.dataset_fingerprint)
        for name in self.tests:
            check_name("tests", name)
        for name in self.splits:
            check_name("splits", name)
        sets = {**self.tests, **({} if self.val is None else {"val": self.val})}
        for name, one in sets.items():
            for split in (one.database, one.queries):
                if split not in self.splits:
                    raise ValueError(
                        f"the set {name!r} names a split that is not there"
                    )
        for name, entry in self.splits.items():
            if not all(is_inside(shard.file) for shard in entry.shards):
                raise ValueError(f"the split {name!r} has paths outside of the dataset")


def read_manifest(path: Path) -> dict[str, Any]:
    """Reads the manifest of a dataset.

    Args:
        path: The file.

    Raises:
        DatasetError: It cannot be read, is damaged or of another format version.
    """
    try:
        content: dict[str, Any] = read_json(path)
        version = content.get("format_version") if isinstance(content, dict) else None
        if version == FORMAT_VERSION:
            from_stored(_Manifest, content, more=True)
            return content
    except (OSError, ValueError) as error:
        text = str(error).encode(errors="replace").decode()
        raise DatasetError(
            f"{path} is damaged: {text}. Restore it from a copy, or build the dataset "
            "again."
        ) from error
    raise DatasetError(
        f"{path} has format_version {version!r}; this program reads {FORMAT_VERSION}. "
        "Build the dataset again."
    )
