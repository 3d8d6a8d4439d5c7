"""Lists what a source holds, and hashes the list to notice when the source changes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vpr_tf.photos import PhotoSource
from vpr_tf.photos.image_folder import nul_terminated

CHUNK_ENTRIES = 512


@dataclass(frozen=True)
class Listing:
    """The entries of one split, in order, on disk.

    Attributes:
        path: File of NUL-terminated entries.
        num_entries: How many.
        sha256: Hash over the entries and their file sizes.
    """

    path: Path
    num_entries: int
    sha256: str


def write_listing(source: PhotoSource, path: Path) -> Listing:
    """Walks the source of a split and writes its entries to a file.

    Raises:
        PhotoSourceError: The source cannot be read.
    """
    digest = hashlib.sha256()
    num_entries = 0
    with path.open("wb", buffering=1 << 20) as file:
        for entry, size in source.walk(path.parent):
            data = entry.encode("utf-8", "surrogateescape") + b"\0"
            file.write(data)
            digest.update(b"%d %s" % (size, data))
            num_entries += 1
    return Listing(path, num_entries, digest.hexdigest())


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
