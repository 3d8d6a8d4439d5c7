"""Which splits a build makes, from what, and what lies there."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_prep.errors import DataPrepError
from vpr_tf.config import BuildConfig, DatabaseAndQueries, check_name
from vpr_tf.photos import PhotoSource
from vpr_tf.photos.file_kinds import SkippedFiles
from vpr_tf.photos.image_folder import nul_terminated

CHUNK_ENTRIES = 512
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class SplitPlan:
    """One split: its name on disk and where its images come from.

    Attributes:
        name: Such as `train` or `test-night-queries`.
        entry: Folder or CSV file as the config names it.
        source: The same, found.
    """

    name: str
    entry: str
    source: PhotoSource

    @property
    def rejected_prefix(self) -> str:
        """What rejected.csv puts before a path: the folder below `build.source`."""
        folder = str(Path(self.entry).parent if self.source.is_csv else self.entry)
        return "" if folder in (".", "") else f"{folder}/"


@dataclass(frozen=True)
class BuildPlan:
    """The splits, and the entries `val` and `tests` of the manifest."""

    splits: list[SplitPlan]
    val: dict[str, Any] | None
    tests: dict[str, dict[str, Any]]


def plan_build(build: BuildConfig) -> BuildPlan:
    """Checks the sources and names the splits.

    A source that several test sets share is stored once, under the first of them.

    Raises:
        DataPrepError: A source does not exist, a name cannot be used in file names,
            or there is nothing to build.
    """
    check_split_name("build.partition.name", build.partition.name)
    splits: dict[tuple[str, bool], SplitPlan] = {}
    if build.train is not None:
        train = _plan_split(build, "train", build.train)
        splits[train.name, True] = train
    val = None if build.val is None else _plan_set(build, "val", build.val, splits)
    tests = plan_tests(build, build.tests, {})
    plans = [*splits.values(), *tests.splits]
    if not plans:
        raise DataPrepError(
            "Nothing to build: set build.train, build.val or build.tests."
        )
    return BuildPlan(plans, val, tests.tests)


def plan_tests(
    build: BuildConfig,
    tests: Mapping[str, DatabaseAndQueries],
    known: Mapping[tuple[str, bool], SplitPlan],
) -> BuildPlan:
    """Names the splits of test sets.

    Args:
        build: Names the folder of the sources.
        tests: The sets by name.
        known: Splits that there are already, by source and whether it needs positions.

    Raises:
        DataPrepError: See `plan_build`.
    """
    shared = dict(known)
    entries = {}
    for name, entry in tests.items():
        check_split_name("build.tests", name)
        entries[name] = _plan_set(build, f"test-{name}", entry, shared)
    new = [plan for source, plan in shared.items() if source not in known]
    return BuildPlan(new, None, entries)


def _plan_set(
    build: BuildConfig,
    prefix: str,
    entry: DatabaseAndQueries,
    known: dict[tuple[str, bool], SplitPlan],
) -> dict[str, Any]:
    """Plans the two splits of a set and returns its entry in the manifest."""
    positioned = {
        "database_has_positions": entry.database_has_positions,
        "queries_have_positions": entry.queries_have_positions,
    }
    manifest: dict[str, Any] = {}
    for role, source, positions in zip(
        ("database", "queries"),
        (entry.database, entry.queries),
        positioned.values(),
        strict=True,
    ):
        plan = _plan_split(build, f"{prefix}-{role}", source, positions)
        plan = known.setdefault((str(plan.source.path.resolve()), positions), plan)
        manifest[role] = plan.name
    return manifest | positioned


def _plan_split(
    build: BuildConfig, name: str, entry: str, needs_position: bool = True
) -> SplitPlan:
    source = PhotoSource(Path(build.source) / entry, needs_position, build.reading)
    if not source.exists():
        kind = "CSV file" if source.is_csv else "image folder"
        raise DataPrepError(
            f"No {kind} at {source.path} for the split {name}. Set build.source to the "
            "folder that holds it."
        )
    return SplitPlan(name, entry, source)


def check_split_name(field_name: str, name: str) -> None:
    """Checks a name that becomes part of the name of a split, as TFDS takes it.

    Raises:
        ConfigError: It is a path.
        DataPrepError: It has other characters than the names of splits may have.
    """
    check_name(field_name, name)
    if not _NAME.fullmatch(name):
        raise DataPrepError(
            f"`{field_name}` names files, so it must be made of letters, digits, "
            f'"_", "." and "-". Received: {name!r}'
        )


@dataclass(frozen=True)
class Listing:
    """The entries of one split, in order, on disk.

    Attributes:
        path: File of NUL-terminated entries.
        num_entries: How many.
        sha256: Hash over the entries and their file sizes.
        skipped: Files beside them that are no photos by their names.
    """

    path: Path
    num_entries: int
    sha256: str
    skipped: SkippedFiles


def write_listing(source: PhotoSource, path: Path) -> Listing:
    """Walks the source of a split and writes its entries to a file.

    Raises:
        PhotoSourceError: The source cannot be read.
    """
    digest = hashlib.sha256()
    num_entries, skipped = 0, SkippedFiles()
    with path.open("wb", buffering=1 << 20) as file:
        for entry, size in source.walk(path.parent, skipped):
            data = entry.encode("utf-8", "surrogateescape") + b"\0"
            file.write(data)
            digest.update(b"%d %s" % (size, data))
            num_entries += 1
    return Listing(path, num_entries, digest.hexdigest(), skipped)


def read_chunks(listing: Listing, offset: int) -> Iterator[tuple[list[str], int]]:
    """Yields pieces of the entries from a byte offset on, with the next offset."""
    chunk: list[str] = []
    with listing.path.open("rb") as file:
        file.seek(offset)
        for item in nul_terminated(file):
            chunk.append(item.decode("utf-8", "surrogateescape"))
            offset += len(item) + 1
            if len(chunk) == CHUNK_ENTRIES:
                yield chunk, offset
                chunk = []
    if chunk:
        yield chunk, offset
