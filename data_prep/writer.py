"""Second pass: writes shards of TFRecords, whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from data_prep.errors import DataPrepError, wrap_disk_errors
from data_prep.table import MetadataTable, write_atomically
from vpr_tf.data.records import (
    FRAME_BYTES,
    NO_CLASS,
    RECORD_FIELDS,
    encode_record_parts,
    write_frame,
)
from vpr_tf.photos.schema import PHOTO_COLUMNS

_BUFFER_BYTES = 1 << 18


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


def finished_summary(task: ShardTask) -> dict[str, Any] | None:
    """Returns the summary of a shard that an earlier run completed."""
    try:
        summary: dict[str, Any] = json.loads(task.summary_path.read_text())
        complete = task.shard.stat().st_size == summary["num_bytes"]
    except (OSError, ValueError):
        return None
    return summary if complete else None


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
    temporary = task.shard.with_name(f".{task.shard.name}.{os.getpid()}.tmp")
    with wrap_disk_errors(task.shard):
        try:
            lengths, digest = _write_records(task, temporary)
            temporary.replace(task.shard)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
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
