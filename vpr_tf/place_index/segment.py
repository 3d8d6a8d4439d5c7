"""One segment of an index: descriptors, photos and a search structure."""

from __future__ import annotations

import errno
import io
import math
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np

from vpr_tf.milvus_address import MilvusAddressError
from vpr_tf.photos import PhotoTable
from vpr_tf.place_index.checked_files import check_file, check_folder
from vpr_tf.place_index.kept_features import (
    LOCAL_FOLDER,
    StoredFeatures,
    write_features,
)
from vpr_tf.place_index.layout import index_path
from vpr_tf.place_index.manifest import IndexManifest, Segment
from vpr_tf.place_index.packed_features import FeatureRows
from vpr_tf.place_index.photo_columns import (
    photo_files,
    read_column,
    read_photos,
    write_photos,
)
from vpr_tf.printable import printable
from vpr_tf.search import (
    INDEX_KINDS,
    KEPT_EXACT_MAX_IMAGES,
    DamagedRowError,
    DescriptorFile,
    Descriptors,
    IndexMismatchError,
    RetrievalError,
    SearchIndex,
    build_index,
)
from vpr_tf.stored_files import ChecksumWriter, StoredFile, fsync, store_folder

DESCRIPTORS_FILE = "descriptors.npy"
_PHOTOS_FOLDER = "photos"
_CHECKSUMS_FILE = "row_checksums.npy"
_SEARCH_FOLDER = "search"
_VALUES_PER_BLOCK = 1 << 22
_ROWS_PER_BLOCK = 1 << 14


class StoredDescriptors(DescriptorFile):
    """The rows of a file that is read without mapping it into memory.

    Args:
        path: The file.
        shape: `(num_rows, descriptor_dim)`; the last bytes of the file are read so.
        dtype: Little-endian float32 or float16.
        row_checksums: CRC-32C of each row; None to trust the file.
        keys: Names of the photos, for messages.
        file: What the file as a whole must be; None to trust it.
    """

    def __init__(
        self,
        path: Path,
        shape: tuple[int, int],
        dtype: np.dtype,
        row_checksums: np.ndarray | None,
        keys: np.ndarray | None = None,
        file: StoredFile | None = None,
    ) -> None:
        super().__init__(path, shape, dtype)
        self._keys = keys
        self._row_checksums = row_checksums
        self._whole = file
        self._unchecked = np.full(shape[0], row_checksums is not None)

    @property
    def path(self) -> Path:
        """The file, for a library that reads it by itself: all is compared first.

        Raises:
            IndexMismatchError: The file is not what was written.
        """
        if self._whole:
            check_file(self._path.parent, self._path.name, self._whole)
            self._whole = None
            for start in range(0, len(self), _ROWS_PER_BLOCK):
                self[start : start + _ROWS_PER_BLOCK]
        return self._path

    def damaged_rows(self, rows_per_block: int = _ROWS_PER_BLOCK) -> list[int]:
        """Compares every row; returns those that are not what was written."""
        damaged: list[int] = []
        for start in range(0, len(self), rows_per_block):
            rows = np.arange(start, min(start + rows_per_block, len(self)))
            damaged += self._damaged(rows, self._read(rows)).tolist()
        return damaged

    def _checked(self, rows: np.ndarray) -> np.ndarray:
        values = self._read(rows)
        new = self._unchecked[rows]
        if not new.any():
            return values
        all_new = new.all()
        new_rows = rows if all_new else rows[new]
        damaged = self._damaged(new_rows, values if all_new else values[new])
        if len(damaged):
            row = int(damaged[0])
            photo = (
                "" if self._keys is None else f", photo {printable(self._keys[row])}"
            )
            raise DamagedRowError(
                f"{self._path} is damaged: row {row}{photo} is not what was written. "
                "Restore the file from a copy of the folder; or remove the photo, "
                "compact the index and add it again."
            )
        self._unchecked[new_rows] = False
        return values

    def _damaged(self, rows: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Returns the rows that this program cannot have written."""
        if self._row_checksums is None:
            return rows[:0]
        differ = checksums_of_rows(values) != self._row_checksums[rows]
        return rows[differ | ~_are_finite(values)]


def checksums_of_rows(values: np.ndarray) -> np.ndarray:
    """Returns the CRC-32C of the bytes of each row, uint32."""
    return np.fromiter(map(google_crc32c.value, values), "<u4", len(values))


@dataclass(frozen=True, eq=False)
class OpenSegment:
    """A segment that can be read, and searched if it was opened for that.

    Attributes:
        entry: What the manifest says of it.
        photos: Memory-mapped.
        descriptors: Read from the file when needed.
        index: The search structure; None if it was not opened.
        local: Key points of the photos; None where none are kept.
    """

    entry: Segment
    photos: PhotoTable
    descriptors: StoredDescriptors
    index: SearchIndex | None
    local: StoredFeatures | None

    @classmethod
    def open(
        cls, folder: Path, manifest: IndexManifest, entry: Segment, *, searched: bool
    ) -> OpenSegment:
        """Opens a segment after its files were compared with their checksums.

        Of the descriptors only the size is compared here: each row is when it is read,
        and the file when a search structure asks for its path. Damaged key points are
        told when they are read: the index does without.

        Args:
            folder: The index.
            manifest: Of the index.
            entry: The segment.
            searched: Whether to open the search structure.

        Raises:
            IndexMismatchError: A file is missing or damaged.
        """
        path = index_path(folder, entry.folder)
        shape = (entry.num_rows, manifest.descriptor_dim)
        _check_entry(path, entry, shape, manifest.dtype)
        for name, file in entry.files.items():
            if name.startswith(f"{LOCAL_FOLDER}/"):
                continue
            if searched or not name.startswith(_SEARCH_FOLDER):
                check_file(path, name, file, size_only=name == DESCRIPTORS_FILE)
        photos = read_photos(path / _PHOTOS_FOLDER, entry.num_rows)
        file = entry.files[DESCRIPTORS_FILE]
        descriptors = _open_descriptors(path, shape, manifest.dtype, photos, file)
        index = _open_search(path, entry, descriptors) if searched else None
        local = StoredFeatures.of_segment(path, entry.files, entry.num_rows)
        return cls(entry, photos, descriptors, index, local)


def _check_entry(
    path: Path, entry: Segment, shape: tuple[int, int], dtype: str
) -> None:
    """Checks that a segment has all its files, and descriptors for all its photos."""
    columns = [f"{_PHOTOS_FOLDER}/{name}" for name in photo_files()]
    for name in (DESCRIPTORS_FILE, _CHECKSUMS_FILE, *columns):
        if name not in entry.files:
            raise IndexMismatchError(
                f"The manifest does not name {path / name}. Restore the folder from a "
                "copy, or build the index again."
            )
    stored = np.dtype(dtype).newbyteorder("<")
    num_bytes = len(_header(shape, stored)) + math.prod(shape) * stored.itemsize
    if entry.files[DESCRIPTORS_FILE].num_bytes != num_bytes:
        raise IndexMismatchError(
            f"{path / DESCRIPTORS_FILE} must have {num_bytes} bytes for {shape[0]} "
            f"photos. Received: {entry.files[DESCRIPTORS_FILE].num_bytes}. Restore the "
            "folder from a copy, or build the index again."
        )


def _open_descriptors(
    path: Path,
    shape: tuple[int, int],
    dtype: str,
    photos: PhotoTable,
    file: StoredFile | None = None,
) -> StoredDescriptors:
    """Opens the descriptors of a segment folder, whose checksums were compared."""
    file_of_sums = path / _CHECKSUMS_FILE
    checksums = read_column(file_of_sums, "<u4", shape[0], mapped=False)
    return StoredDescriptors(
        path / DESCRIPTORS_FILE, shape, np.dtype(dtype), checksums, photos.keys, file
    )


def _open_search(
    path: Path, entry: Segment, descriptors: StoredDescriptors
) -> SearchIndex:
    """Opens a search structure: a damaged file could crash the library that reads."""
    folder = path / _SEARCH_FOLDER
    check_folder(path, _SEARCH_FOLDER, entry.files)
    kind = INDEX_KINDS.get(entry.kind)
    if kind is None:
        raise IndexMismatchError(
            f"{path} holds an index of the unknown kind {entry.kind!r}; known are "
            f"{', '.join(INDEX_KINDS)}. Use a newer version of the program."
        )
    try:
        return kind.read(folder, descriptors, entry.settings)
    except (IndexMismatchError, MilvusAddressError):
        raise
    except (RuntimeError, ValueError) as error:  # so ScaNN says what it cannot read
        raise IndexMismatchError(
            f"{folder} cannot be read, though its checksums fit: {error}. Was the "
            "disk full, or is the library another version? Build the index again."
        ) from error


def write_segment(
    folder: Path,
    name: str,
    descriptors: Descriptors,
    photos: PhotoTable,
    *,
    kind: str,
    settings: dict[str, Any] | None,
    dtype: str,
    local: FeatureRows | None = None,
) -> Segment:
    """Writes a segment, block by block, and makes it survive a power cut.

    Args:
        folder: The index.
        name: Path of the segment, relative to the index; must not exist.
        descriptors: Finite, one row a photo.
        photos: Metadata.
        kind: Of the search structure, see `build_index`; `auto` is exact
            up to `KEPT_EXACT_MAX_IMAGES` photos.
        settings: Of the search structure.
        dtype: In which the descriptors are stored.
        local: Key points of the photos; None to keep none.

    Raises:
        ValueError: A descriptor or a setting cannot be.
    """
    path = index_path(folder, name)
    path.mkdir(parents=True)
    files = {DESCRIPTORS_FILE: _write_descriptors(path, descriptors, photos, dtype)}
    files[_CHECKSUMS_FILE] = StoredFile.from_path(path / _CHECKSUMS_FILE)
    write_photos(path / _PHOTOS_FOLDER, photos)
    shape = (len(descriptors), descriptors.shape[1])
    written = _open_descriptors(path, shape, dtype, photos)
    index = build_index(kind, written, settings, exact_max_images=KEPT_EXACT_MAX_IMAGES)
    _write_search(index, path / _SEARCH_FOLDER)
    parts = [_PHOTOS_FOLDER, _SEARCH_FOLDER]
    if local is not None:
        write_features(path / LOCAL_FOLDER, local)
        parts.append(LOCAL_FOLDER)
    for part in parts:
        for file, stored in store_folder(path / part).items():
            files[f"{part}/{file}"] = stored
    fsync(path)
    fsync(path.parent)
    return Segment(name, len(photos), index.kind, index.settings, files)


def _write_search(index: SearchIndex, folder: Path) -> None:
    folder.mkdir()
    try:
        index.write(folder)
    except RuntimeError as error:  # so ScaNN says that the disk is full
        raise RetrievalError(
            f"The search structure was not written to {folder}: {error}. Make space on "
            "that disk or give permission to write, then run the command again."
        ) from error
    if not shutil.disk_usage(folder).free:  # which ScaNN does not always notice
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))


def _write_descriptors(
    path: Path, descriptors: Descriptors, photos: PhotoTable, dtype_name: str
) -> StoredFile:
    """Writes rows and their checksums; the memory used does not grow with them."""
    if isinstance(descriptors, np.memmap):
        descriptors = DescriptorFile.from_memmap(descriptors)
    dtype = np.dtype(dtype_name).newbyteorder("<")
    shape = (len(descriptors), descriptors.shape[1])
    checksums = np.empty(len(descriptors), "<u4")
    step = max(1, _VALUES_PER_BLOCK // shape[1])
    with (path / DESCRIPTORS_FILE).open("wb") as file:
        writer = ChecksumWriter(file)
        writer.write(_header(shape, dtype))
        for start in range(0, len(descriptors), step):
            given = descriptors[start : start + step]
            rows = _finite_rows(given, dtype, photos.keys[start : start + step])
            checksums[start : start + len(rows)] = checksums_of_rows(rows)
            writer.write(rows.tobytes())
    fsync(path / DESCRIPTORS_FILE)
    np.save(path / _CHECKSUMS_FILE, checksums, allow_pickle=False)
    return writer.stored()


def _header(shape: tuple[int, int], dtype: np.dtype) -> bytes:
    file = io.BytesIO()
    content = {"descr": dtype.str, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, content)
    return file.getvalue()


def _finite_rows(given: np.ndarray, dtype: np.dtype, keys: np.ndarray) -> np.ndarray:
    """Converts rows; zero vectors are allowed, their distances are well defined."""
    with np.errstate(over="ignore"):
        rows = np.ascontiguousarray(given, dtype)
    bad = np.flatnonzero(~_are_finite(rows))
    if len(bad):
        names = ", ".join(printable(key) for key in keys[bad[:5]])
        raise RetrievalError(
            f"Descriptors must be finite, also as {dtype} and squared. Received: NaN, "
            f"infinity or too large values for {len(bad)} photos: {names}. Check these "
            "photos and the encoder."
        )
    return rows


def _are_finite(rows: np.ndarray) -> np.ndarray:
    """Whether rows have a finite norm, and so finite distances."""
    with np.errstate(over="ignore", invalid="ignore"):
        wide = rows.astype(np.float32, copy=False)
        return np.isfinite(np.einsum("nd,nd->n", wide, wide))
