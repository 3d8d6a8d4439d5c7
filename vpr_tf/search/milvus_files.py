"""What an embedded Milvus database may hold: what `MilvusIndex` writes, and no more.

Milvus trusts its files: a partition named `../..` leads out of the folder, where files
are then read and index files written, and a schema with a text function takes an API
key of the environment to any address. So a database is compared with the form that ours
have before Milvus opens it. What cannot be compared is inside of the Parquet and index
files, which native libraries read.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vpr_tf.search.errors import IndexMismatchError
from vpr_tf.stored_paths import inside
from vpr_tf.stored_values import from_stored, read_json

COLLECTION = "descriptors"
PARTITION = "_default"
ROW_FIELD, DESCRIPTOR_FIELD = "row", "descriptor"
_FOLDER = f"collections/{COLLECTION}"
_MANIFEST, _SCHEMA = f"{_FOLDER}/manifest.json", f"{_FOLDER}/schema.json"
_DATA = re.compile(r"data/data_\d+_\d+\.parquet")
_INDEX = re.compile(rf"indexes/data_\d+_\d+\.{DESCRIPTOR_FIELD}\.\w+\.idx")
# Written, but not read: our copies leave them out.
_LARGEST_PARAM = 65_536
_LEFT_OUT = re.compile(r"(.*/)?(LOCK|[^/]*\.prev)")


@dataclass(frozen=True)
class _Partition:
    data_files: list[str]
    delta_files: list[str]


@dataclass(frozen=True)
class _IndexSpec:
    build_params: dict[str, int]


@dataclass(frozen=True)
class _Manifest:
    partitions: dict[str, _Partition]
    index_specs: dict[str, _IndexSpec]


@dataclass(frozen=True)
class _Field:
    name: str
    dtype: str


@dataclass(frozen=True)
class _Schema:
    collection_name: str
    fields: list[_Field]


def database_files(folder: Path) -> list[str]:
    """Returns the files of a database that a stored index holds.

    Args:
        folder: The database.

    Returns:
        Their paths relative to it.

    Raises:
        IndexMismatchError: It holds what `MilvusIndex` does not write.
        StoredPathError: Something in it is a link, or no file.
        FileNotFoundError: It is not there.
    """
    files = []
    for parent, folders, names in os.walk(folder):
        below = Path(parent).relative_to(folder)
        for name in (*folders, *names):
            inside(folder, (below / name).as_posix())
        files += [(below / name).as_posix() for name in names]
    files = sorted(file for file in files if not _LEFT_OUT.fullmatch(file))
    try:
        problem = _problem(folder, files)
    except (OSError, ValueError) as error:
        if not folder.exists():  # the index changed meanwhile
            raise
        problem = str(error)
    if problem:
        raise IndexMismatchError(
            f"The Milvus database {folder} is not of an index: {problem}. Build the "
            "index again, and do not open the folder by other programs."
        )
    return files


def _problem(folder: Path, files: list[str]) -> str:
    start = f"{_FOLDER}/partitions/{PARTITION}/"
    for file in files:
        part = file.removeprefix(start)
        if file not in (_MANIFEST, _SCHEMA) and not (
            part != file and (_DATA.fullmatch(part) or _INDEX.fullmatch(part))
        ):
            return f"it must not hold the file {file[:200]!a}"
    manifest = from_stored(_Manifest, read_json(folder / _MANIFEST), more=True)
    if set(manifest.partitions) != {PARTITION}:
        return f"it must have one partition, {PARTITION}"
    partition = manifest.partitions[PARTITION]
    named = set(partition.data_files)
    if partition.delta_files or any(start + file not in files for file in named):
        return f"it must hold the files that it names: {sorted(named)[:3]}"
    for name, spec in manifest.index_specs.items():
        check_params(name, spec.build_params)
    content = read_json(folder / _SCHEMA)
    schema = from_stored(_Schema, content, more=True)
    fields = [(field.name, field.dtype) for field in schema.fields]
    if fields != [(ROW_FIELD, "int64"), (DESCRIPTOR_FIELD, "float_vector")]:
        return "it must have the fields row and descriptor alone"
    return _more(content, {"collection_name", "fields", "version"}) or ""


def check_params(name: str, params: dict[str, int]) -> None:
    """Checks parameters of building or searching; they are sizes.

    Raises:
        ValueError: One is not 1 to the largest that Milvus takes of any.
    """
    for param, value in params.items():
        if not 1 <= value <= _LARGEST_PARAM:
            raise ValueError(
                f"`{name}.{param[:80]}` must be 1 to {_LARGEST_PARAM:,}. Received: "
                f"{value}"
            )


def _more(schema: dict[str, Any], known: set[str]) -> str:
    """Names what a schema has besides, such as functions; versions are numbers."""
    for name, value in schema.items():
        if name not in known and value and not name.endswith("_version"):
            return f"its collection must have no {name[:80]!a}"
    return ""
