"""Finds damaged records: checks the checksums and names shard and offset."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from vpr_tf.data.prepared_dataset import PreparedDataset
from vpr_tf.data.records import masked_crc32c

_HEADER_BYTES, _FOOTER_BYTES = 12, 4
_RECORDS_A_REPORT = 256


def verify_split(
    dataset: PreparedDataset,
    split: str,
    progress: Callable[[int], object] | None = None,
) -> Iterator[str]:
    """Reads every record of a split and yields a message for each damaged one.

    Args:
        dataset: The dataset.
        split: Name of the split.
        progress: Called with the number of records read since the last call.
    """
    index = dataset.split(split)
    shards = np.asarray(index.column("shard"))
    offsets, lengths = index.column("byte_offset"), index.column("length")
    written = [shard.get("records_sha256") for shard in _shards_of(dataset, split)]
    for number, shard_path in enumerate(index.shard_paths):
        first, last = np.searchsorted(shards, [number, number + 1]).tolist()
        digest = hashlib.sha256()
        try:
            with Path(shard_path).open("rb") as file:
                for row in range(first, last):
                    offset, length = int(offsets[row]), int(lengths[row])
                    file.seek(offset)
                    frame = file.read(_HEADER_BYTES + length + _FOOTER_BYTES)
                    problem = _problem(frame, length)
                    digest.update(frame[:_HEADER_BYTES] + frame[-_FOOTER_BYTES:])
                    if problem:
                        written[number] = None
                        yield _message(
                            dataset, shard_path, offset, row - first, problem
                        )
                    if progress and (row + 1 - first) % _RECORDS_A_REPORT == 0:
                        progress(_RECORDS_A_REPORT)
            if written[number] not in (None, digest.hexdigest()):
                yield f"{shard_path} holds other records than were built"
        except OSError as error:
            yield f"{shard_path} cannot be read: {error.strerror}"
        if progress:
            progress((last - first) % _RECORDS_A_REPORT)


def _shards_of(dataset: PreparedDataset, split: str) -> list[dict[str, Any]]:
    return list(dataset.manifest["splits"][split]["shards"])


def _problem(frame: bytes, length: int) -> str | None:
    """Returns what is wrong with a frame, None when it is intact."""
    if len(frame) < _HEADER_BYTES + length + _FOOTER_BYTES:
        return "the shard is truncated"
    stored_length, length_checksum = struct.unpack_from("<QI", frame)
    if masked_crc32c(frame[:8]) != length_checksum or stored_length != length:
        return "its length is damaged"
    (checksum,) = struct.unpack_from("<I", frame, _HEADER_BYTES + length)
    if masked_crc32c(frame[_HEADER_BYTES : _HEADER_BYTES + length]) != checksum:
        return "its data do not match their checksum"
    return None


def _message(
    dataset: PreparedDataset, shard_path: str, offset: int, number: int, problem: str
) -> str:
    shard = Path(shard_path).relative_to(dataset.path)
    return (
        f"damaged record {number} in shard {shard} at byte offset {offset}: {problem}"
    )
