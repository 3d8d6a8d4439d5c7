"""A split on its way to disk: its metadata table, and the shards that follow from it.

The table is appended while scanning and read back in pieces. A split's work folder
holds `rows.bin` (rows of `ROW_DTYPE`), `keys.bin` (the keys, one after the other),
`rejected.csv` and `progress.json`. The progress is written last, so that a killed scan
is cut back to it and goes on from there. Shards appear whole or not at all.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from data_prep.errors import DataPrepError, wrap_disk_errors
from data_prep.plan import Listing, SplitPlan
from vpr_tf.atomic_files import new_file, write_at
from vpr_tf.csv_files import csv_writer, name_cell
from vpr_tf.data.records import (
    FRAME_BYTES,
    NO_CLASS,
    RECORD_FIELDS,
    encode_record_parts,
    write_frame,
)
from vpr_tf.photos import DROPPED_SHOWN
from vpr_tf.photos.file_kinds import SkippedFiles
from vpr_tf.photos.scan import ScannedChunk
from vpr_tf.photos.schema import (
    GROUP_COLUMNS,
    NO_GROUPS,
    PHOTO_COLUMNS,
    ROW_DTYPE,
)
from vpr_tf.stored_files import StoredFile
from vpr_tf.stored_values import StoredValueError, from_stored, read_json

_ROWS_AT_ONCE = 1 << 16
_BUFFER_BYTES = 1 << 18
_State = TypeVar("_State")


@dataclass
class Progress:
    """How far the scan of a split has come; sizes in bytes.

    `rejected_size` is of the list of rejected photos and of those that are left out.
    """

    listing_offset: int = 0
    num_entries: int = 0
    num_rows: int = 0
    num_rejected: int = 0
    keys_size: int = 0
    rejected_size: int = 0
    longest_key: int = 0
    longest_timestamp: int = 0
    num_other: int = 0
    num_outside: int = 0  # of `build.area`
    num_flagged: int = 0
    # Photos that are taken without what cannot be of them, and path and reason of some.
    num_dropped: int = 0
    dropped: list[list[str]] = field(default_factory=list)
    # Columns of `GROUP_COLUMNS` that are known of a photo, and their longest text.
    groups: dict[str, int] = field(default_factory=dict)


class MetadataTable:
    """The rows of one scanned split.

    Args:
        folder: Work folder of the split; it exists.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows_path = folder / "rows.bin"
        self.keys_path = folder / "keys.bin"
        self.rejected_path = folder / "rejected.csv"
        self.class_ids_path = folder / "class_ids.bin"
        self._progress_path = folder / "progress.json"

    @property
    def files(self) -> tuple[Path, ...]:
        """What shards are written from."""
        return self.rows_path, self.keys_path, self.class_ids_path

    def progress(self) -> Progress:
        """Returns the progress of the last checkpoint."""
        try:
            return read_state(Progress, self._progress_path)
        except FileNotFoundError:
            return Progress()

    def append(self, progress: Progress, chunk: ScannedChunk, file_prefix: str) -> None:
        """Appends a scanned chunk after the rows of `progress`, and advances it.

        Anything after `progress` in the files is overwritten. The caller writes the
        checkpoint.
        """
        rows = chunk.rows.copy()
        rows["key_end"] += progress.keys_size
        write_at(self.rows_path, progress.num_rows * ROW_DTYPE.itemsize, rows.tobytes())
        write_at(self.keys_path, progress.keys_size, chunk.keys)
        rejected = csv_lines(
            (file_prefix + path, reason) for path, reason in chunk.rejected
        )
        write_at(self.rejected_path, progress.rejected_size, rejected)
        progress.num_rows += len(rows)
        progress.num_rejected += len(chunk.rejected)
        progress.num_other += chunk.num_other
        progress.num_dropped += len(chunk.dropped)
        examples = [[file_prefix + path, reason] for path, reason in chunk.dropped]
        progress.dropped = [*progress.dropped, *examples][:DROPPED_SHOWN]
        progress.keys_size += len(chunk.keys)
        progress.rejected_size += len(rejected)
        progress.longest_key = max(progress.longest_key, chunk.longest_key)
        progress.longest_timestamp = max(
            progress.longest_timestamp, _longest(rows["timestamp"])
        )
        for name, unknown in NO_GROUPS._asdict().items():
            if (rows[name] != np.array(unknown, GROUP_COLUMNS[name])).any():
                is_text = isinstance(unknown, str)
                longest = _longest(rows[name]) if is_text else 0
                progress.groups[name] = max(progress.groups.get(name, 0), longest)

    def write_checkpoint(self, progress: Progress) -> None:
        """Makes `progress` the point from which an interrupted scan goes on."""
        write_atomically(self._progress_path, json.dumps(asdict(progress)).encode())

    def read(self, start: int, end: int) -> tuple[np.ndarray, list[str]]:
        """Returns rows `start` to `end` and their keys."""
        first = max(start - 1, 0)
        with self.rows_path.open("rb") as file:
            file.seek(first * ROW_DTYPE.itemsize)
            rows = np.fromfile(file, ROW_DTYPE, end - first)
        previous_end = int(rows["key_end"][0]) if start else 0
        rows = rows[start - first :]
        with self.keys_path.open("rb") as file:
            file.seek(previous_end)
            keys = file.read(int(rows["key_end"][-1]) - previous_end)
        ends = rows["key_end"] - previous_end
        starts = np.concatenate([[0], ends[:-1]])
        return rows, [keys[a:b].decode() for a, b in zip(starts, ends, strict=True)]

    def iterate(self, num_rows: int) -> Iterator[tuple[np.ndarray, list[str]]]:
        """Yields all rows with their keys, a piece at a time."""
        for start in range(0, num_rows, _ROWS_AT_ONCE):
            yield self.read(start, min(start + _ROWS_AT_ONCE, num_rows))

    def iterate_rows(self, num_rows: int) -> Iterator[np.ndarray]:
        """Yields all rows, a piece at a time."""
        with self.rows_path.open("rb") as file:
            for start in range(0, num_rows, _ROWS_AT_ONCE):
                yield np.fromfile(file, ROW_DTYPE, min(_ROWS_AT_ONCE, num_rows - start))

    def read_class_ids(self, start: int, end: int) -> list[tuple[int, int]] | None:
        """Returns class and group ids of some rows; None in a split without classes."""
        if not self.class_ids_path.exists():
            return None
        with self.class_ids_path.open("rb") as file:
            file.seek(start * 8)
            ids = np.fromfile(file, "<i4", 2 * (end - start))
        return [tuple(pair) for pair in ids.reshape(-1, 2).tolist()]


def _longest(texts: np.ndarray) -> int:
    return int(np.char.str_len(texts).max(initial=0))


def read_state(kind: type[_State], path: Path) -> _State:
    """Reads what an interrupted build noted.

    Raises:
        FileNotFoundError: It noted nothing.
        DataPrepError: The file is damaged.
    """
    try:
        return from_stored(kind, read_json(path))
    except StoredValueError as error:
        raise DataPrepError(
            f"{path} is damaged: {error}. Delete the dataset folder and build again."
        ) from error


def write_atomically(path: Path, data: bytes) -> None:
    """Writes a file so that it has either its old or its new content."""
    with new_file(path) as temporary:
        temporary.write_bytes(data)


def csv_lines(rows: Iterable[Sequence[str]]) -> bytes:
    """Returns rows of text as lines of a CSV file, see `name_cell`."""
    text = io.StringIO()
    writer = csv_writer(text)
    writer.writerows(map(name_cell, row) for row in rows)
    return text.getvalue().encode("utf-8", "backslashreplace")


@dataclass(frozen=True)
class ShardTask:
    """One shard: rows `start` to `end` of a scanned split.

    Attributes:
        images: Folder that the keys are relative to.
        work: Folder of the scanned split.
        shard: Final path.
        start: First row.
        end: Row after the last.
    """

    images: str
    work: Path
    shard: Path
    start: int
    end: int

    @property
    def summary_path(self) -> Path:
        """JSON file that says that the shard is complete."""
        return self.work / f"{self.shard.name}.json"

    @property
    def lengths_path(self) -> Path:
        """Bytes of each record, int64."""
        return self.work / f"{self.shard.name}.lengths"


class ScannedSplit:
    """A split on its way to disk.

    Args:
        plan: Its name and source.
        work: Its work folder.
        listing: What the source holds.
    """

    def __init__(self, plan: SplitPlan, work: Path, listing: Listing) -> None:
        self.plan = plan
        self.work = work
        self.listing = listing
        self.table = MetadataTable(work)
        self.progress = self.table.progress()
        self.tasks: list[ShardTask] = []
        self.shards: list[dict[str, Any]] = []
        self.columns: dict[str, StoredFile] = {}

    @property
    def skipped(self) -> SkippedFiles:
        """Files beside the photos, as far as they were scanned."""
        known = self.listing.skipped
        num_other = known.num_other + self.progress.num_other
        return SkippedFiles(known.num_hidden, num_other)


@dataclass(frozen=True)
class _Summary:
    file: str
    num_records: int
    num_bytes: int
    records_sha256: str


def finished_summary(task: ShardTask) -> dict[str, Any] | None:
    """Returns the summary of a shard that an earlier run completed."""
    try:
        summary = from_stored(_Summary, read_json(task.summary_path))
        complete = task.shard.stat().st_size == summary.num_bytes
        complete &= task.lengths_path.stat().st_size == summary.num_records * 8
    except (OSError, ValueError):
        return None
    return asdict(summary) if complete else None


def write_shard(task: ShardTask) -> dict[str, Any]:
    """Writes one shard under a temporary name, renames it, and returns its summary.

    Returns:
        `file`, `num_records`, `num_bytes` and `records_sha256`: SHA-256 over the
        length and the CRC-32C of every record. It changes whenever a byte of the
        shard does, at a fraction of the cost of hashing the pixels again: on a
        processor without SHA instructions that takes longer than all the rest.

    Raises:
        DataPrepError: The disk is full, or an image changed since it was scanned.
    """
    with wrap_disk_errors(task.shard):
        with new_file(task.shard) as temporary:
            lengths, digest = _write_records(task, temporary)
        summary = {
            "file": task.shard.name,
            "num_records": len(lengths),
            "num_bytes": int(lengths.sum()) + FRAME_BYTES * len(lengths),
            "records_sha256": digest,
        }
        write_atomically(task.lengths_path, lengths.tobytes())
        write_atomically(task.summary_path, json.dumps(summary).encode())
    return summary


def _write_records(task: ShardTask, path: Path) -> tuple[np.ndarray, str]:
    """Returns the bytes of every record and the digest of their checksums."""
    table = MetadataTable(task.work)
    rows, keys = table.read(task.start, task.end)
    ids = table.read_class_ids(task.start, task.end)
    lengths = np.empty(len(rows), np.int64)
    digest = hashlib.sha256()
    with path.open("wb", buffering=_BUFFER_BYTES) as file:
        photos = rows[list(PHOTO_COLUMNS)].tolist()
        for i, (row, key) in enumerate(zip(photos, keys, strict=True)):
            image = _read_image(task.images, key, int(rows["file_size"][i]))
            class_and_group = ids[i] if ids is not None else (NO_CLASS, NO_CLASS)
            fields = (image, key, *row, *class_and_group)
            parts = encode_record_parts(dict(zip(RECORD_FIELDS, fields, strict=True)))
            lengths[i] = sum(map(len, parts))
            checksums = write_frame(file, parts)
            digest.update(checksums)
    return lengths, digest.hexdigest()


def _read_image(folder: str, key: str, file_size: int) -> bytes:
    path = os.path.join(folder, key)  # noqa: PTH118 - Path is slow here
    try:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            image = os.read(descriptor, file_size + 1)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise DataPrepError(
            f"Cannot read {path}: {error.strerror}. It was there when the build began; "
            "run the same command again when it is back."
        ) from error
    if len(image) != file_size:
        raise DataPrepError(
            f"{path} changed since it was scanned ({file_size} bytes then, "
            f"{len(image)} or more now). Delete the dataset folder and build again."
        )
    return image
