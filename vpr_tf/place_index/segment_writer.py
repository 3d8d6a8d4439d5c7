"""Writing a segment of an index."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import shutil
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np

from vpr_tf.photos.photo_table import PhotoTable
from vpr_tf.place_index.manifest import Segment
from vpr_tf.place_index.photo_columns import write_photos
from vpr_tf.place_index.segment import (
    CHECKSUMS_FILE,
    DESCRIPTORS_FILE,
    PHOTOS_FOLDER,
    SEARCH_FOLDER,
    open_descriptors,
)
from vpr_tf.place_index.stored_descriptors import (
    StoredDescriptors,
    checksums_of_rows,
)
from vpr_tf.place_index.stored_files import StoredFile, fsync, store_folder
from vpr_tf.search import (
    KEPT_EXACT_MAX_IMAGES,
    Descriptors,
    RetrievalError,
    SearchIndex,
    build_index,
)

_VALUES_PER_BLOCK = 1 << 22


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
        kind: Of the search structure, see `build_index`; `auto` is exact
            up to `KEPT_EXACT_MAX_IMAGES` photos.
        settings: Of the search structure.
        dtype: In which the descriptors are stored.

    Raises:
        ValueError: A descriptor or a setting cannot be.
    """
    path = folder / name
    path.mkdir(parents=True)
    stored = _write_descriptors(path, descriptors, photos, np.dtype(dtype))
    write_photos(path / PHOTOS_FOLDER, photos)
    shape = (len(descriptors), descriptors.shape[1])
    written = open_descriptors(path, shape, dtype, photos)
    index = build_index(kind, written, settings, exact_max_images=KEPT_EXACT_MAX_IMAGES)
    _write_search(index, path / SEARCH_FOLDER)
    files = {DESCRIPTORS_FILE: stored}
    files[CHECKSUMS_FILE] = StoredFile.of(path / CHECKSUMS_FILE)
    for part in (PHOTOS_FOLDER, SEARCH_FOLDER):
        for file, description in store_folder(path / part).items():
            files[f"{part}/{file}"] = description
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
    path: Path, descriptors: Descriptors, photos: PhotoTable, dtype: np.dtype
) -> StoredFile:
    """Writes rows and their checksums; the memory used does not grow with them."""
    if isinstance(descriptors, np.memmap):
        descriptors = StoredDescriptors.from_memmap(descriptors)
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
    np.save(path / CHECKSUMS_FILE, checksums, allow_pickle=False)
    return StoredFile(num_bytes, crc32c, sha256.hexdigest())


def _header(num_rows: int, like: np.ndarray) -> bytes:
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
