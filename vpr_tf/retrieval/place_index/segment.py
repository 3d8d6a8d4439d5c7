"""One segment of an index: descriptors, photos and a search structure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np

from vpr_tf.photo_table import PhotoTable
from vpr_tf.retrieval.build import INDEX_KINDS, build_index
from vpr_tf.retrieval.errors import IndexMismatchError, RetrievalError
from vpr_tf.retrieval.index import Descriptors, Index
from vpr_tf.retrieval.place_index.manifest import Segment
from vpr_tf.retrieval.place_index.photo_columns import read_photos, write_photos
from vpr_tf.retrieval.place_index.stored_descriptors import (
    StoredDescriptors,
    checksums_of_rows,
)
from vpr_tf.retrieval.place_index.stored_files import StoredFile, fsync, store_folder

DESCRIPTORS_FILE = "descriptors.npy"
_CHECKSUMS_FILE = "row_checksums.npy"
_PHOTOS_FOLDER = "photos"
_SEARCH_FOLDER = "search"
_VALUES_PER_BLOCK = 1 << 24


@dataclass(frozen=True, eq=False)
class OpenSegment:
    """A segment that can be searched.

    Attributes:
        segment: Its entry in the manifest.
        photos: Memory-mapped.
        descriptors: Read from the file when asked for.
        index: The search structure.
    """

    segment: Segment
    photos: PhotoTable
    descriptors: StoredDescriptors
    index: Index

    @classmethod
    def open(
        cls, folder: Path, segment: Segment, descriptor_dim: int, dtype: str
    ) -> OpenSegment:
        """Opens a segment after its files were compared with their checksums.

        Of the descriptors only the size is compared here: each row is when it is read.

        Args:
            folder: The index.
            segment: Entry of the manifest.
            descriptor_dim: Length of a descriptor.
            dtype: Of the descriptors.

        Raises:
            FileNotFoundError: A file is missing.
            IndexMismatchError: A file is damaged.
        """
        path = folder / segment.folder
        for name, file in segment.files.items():
            if name == DESCRIPTORS_FILE:
                file.check_size(path / name)
            else:
                file.check(path / name)
        photos = read_photos(path / _PHOTOS_FOLDER)
        descriptors = open_descriptors(
            path, (segment.num_rows, descriptor_dim), dtype, photos
        )
        kind = INDEX_KINDS.get(segment.kind)
        if kind is None:
            raise IndexMismatchError(
                f"{folder} holds an index of the unknown kind {segment.kind!r}; known "
                f"are {', '.join(INDEX_KINDS)}. Use a newer version of the program."
            )
        index = kind.read(path / _SEARCH_FOLDER, descriptors, segment.settings)
        return cls(segment, photos, descriptors, index)


def open_descriptors(
    path: Path, shape: tuple[int, int], dtype: str, photos: PhotoTable
) -> StoredDescriptors:
    """Opens the descriptors of a segment folder, whose checksums were compared."""
    checksums = np.load(path / _CHECKSUMS_FILE, allow_pickle=False)
    return StoredDescriptors(
        path / DESCRIPTORS_FILE, shape, np.dtype(dtype), checksums, photos.keys
    )


def write_segment(
    folder: Path,
    name: str,
    descriptors: Descriptors,
    photos: PhotoTable,
    *,
    kind: str,
    settings: dict[str, Any] | None,
    dtype: str,
) -> Segment:
    """Writes a segment, block by block, and makes it survive a power cut.

    Args:
        folder: The index.
        name: Path of the segment, relative to the index; must not exist.
        descriptors: Finite, one row a photo.
        photos: Metadata.
        kind: Of the search structure, see `build_index`.
        settings: Of the search structure.
        dtype: In which the descriptors are stored.

    Raises:
        ValueError: A descriptor or a setting cannot be.
    """
    path = folder / name
    path.mkdir(parents=True)
    stored = _write_descriptors(path, descriptors, photos, np.dtype(dtype))
    write_photos(path / _PHOTOS_FOLDER, photos)
    shape = (len(descriptors), descriptors.shape[1])
    written = open_descriptors(path, shape, dtype, photos)
    index = build_index(kind, written, settings)
    (path / _SEARCH_FOLDER).mkdir()
    index.write(path / _SEARCH_FOLDER)
    files = {DESCRIPTORS_FILE: stored}
    files[_CHECKSUMS_FILE] = StoredFile.of(path / _CHECKSUMS_FILE)
    for part in (_PHOTOS_FOLDER, _SEARCH_FOLDER):
        for file, description in store_folder(path / part).items():
            files[f"{part}/{file}"] = description
    fsync(path)
    fsync(path.parent)
    return Segment(name, len(photos), index.kind, index.settings, files)


def _write_descriptors(
    path: Path, descriptors: Descriptors, photos: PhotoTable, dtype: np.dtype
) -> StoredFile:
    """Writes rows and their checksums; the memory used does not grow with them."""
    if isinstance(descriptors, np.memmap):
        descriptors = StoredDescriptors.of_memmap(descriptors)
    header = np.empty((0, descriptors.shape[1]), dtype.newbyteorder("<"))
    checksums = np.empty(len(descriptors), "<u4")
    step = max(1, _VALUES_PER_BLOCK // descriptors.shape[1])
    sha256, crc32c, num_bytes = hashlib.sha256(), 0, 0
    with (path / DESCRIPTORS_FILE).open("wb") as file:

        def write(part: bytes) -> None:
            nonlocal crc32c, num_bytes
            file.write(part)
            sha256.update(part)
            crc32c = google_crc32c.extend(crc32c, part)
            num_bytes += len(part)

        write(_header(len(descriptors), header))
        for start in range(0, len(descriptors), step):
            given = descriptors[start : start + step]
            rows = _finite_rows(given, dtype, photos.keys[start : start + step])
            checksums[start : start + len(rows)] = checksums_of_rows(rows)
            write(rows.tobytes())
    fsync(path / DESCRIPTORS_FILE)
    np.save(path / _CHECKSUMS_FILE, checksums, allow_pickle=False)
    return StoredFile(num_bytes, crc32c, sha256.hexdigest())


def _header(num_rows: int, like: np.ndarray) -> bytes:
    import io

    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file,
        {
            "descr": like.dtype.str,
            "fortran_order": False,
            "shape": (num_rows, like.shape[1]),
        },
    )
    return file.getvalue()


def _finite_rows(given: np.ndarray, dtype: np.dtype, keys: np.ndarray) -> np.ndarray:
    """Converts rows; zero vectors are allowed, their distances are well defined."""
    with np.errstate(over="ignore"):
        rows = np.ascontiguousarray(given, dtype.newbyteorder("<"))
        wide = rows.astype(np.float32, copy=False)
        norms = np.einsum("nd,nd->n", wide, wide)
    bad = np.flatnonzero(~np.isfinite(norms))
    if len(bad):
        names = ", ".join(key.decode(errors="replace") for key in keys[bad[:5]])
        raise RetrievalError(
            f"Descriptors must be finite, also as {dtype} and squared. Received: NaN, "
            f"infinity or too large values for {len(bad)} photos: {names}. Check these "
            "photos and the encoder."
        )
    return rows
