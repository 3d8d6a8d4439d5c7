"""One segment of an index: descriptors, photos and a search structure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vpr_tf.photos.photo_table import PhotoTable
from vpr_tf.place_index.manifest import IndexManifest, Segment
from vpr_tf.place_index.photo_columns import read_photos
from vpr_tf.place_index.stored_descriptors import StoredDescriptors
from vpr_tf.place_index.stored_files import StoredFile
from vpr_tf.search import INDEX_KINDS, IndexMismatchError, SearchIndex

DESCRIPTORS_FILE = "descriptors.npy"
CHECKSUMS_FILE = "row_checksums.npy"
PHOTOS_FOLDER = "photos"
SEARCH_FOLDER = "search"


@dataclass(frozen=True, eq=False)
class StoredSegment:
    """A segment that can be read.

    Attributes:
        entry: What the manifest says of it.
        photos: Memory-mapped.
        descriptors: Read from the file when asked for.
    """

    entry: Segment
    photos: PhotoTable
    descriptors: StoredDescriptors

    @classmethod
    def open(
        cls, folder: Path, manifest: IndexManifest, entry: Segment
    ) -> StoredSegment:
        """Opens a segment after its files were compared with their checksums.

        Of the descriptors only the size is compared here: each row is when it is read,
        and the file when a search structure asks for its path.

        Args:
            folder: The index.
            manifest: Of the index.
            entry: The segment.

        Raises:
            FileNotFoundError: A file is missing.
            IndexMismatchError: A file is damaged.
        """
        path = folder / entry.folder
        for name, file in entry.files.items():
            if name == DESCRIPTORS_FILE:
                file.check_size(path / name)
            elif not name.startswith(SEARCH_FOLDER):
                file.check(path / name)
        photos = read_photos(path / PHOTOS_FOLDER)
        shape = (entry.num_rows, manifest.descriptor_dim)
        file = entry.files[DESCRIPTORS_FILE]
        descriptors = open_descriptors(path, shape, manifest.dtype, photos, file)
        return cls(entry, photos, descriptors)


@dataclass(frozen=True, eq=False)
class SearchedSegment:
    """A segment that can be searched.

    Attributes:
        stored: Its photos and descriptors.
        index: Its search structure.
    """

    stored: StoredSegment
    index: SearchIndex

    @classmethod
    def open(
        cls, folder: Path, manifest: IndexManifest, entry: Segment
    ) -> SearchedSegment:
        """Opens a segment with its search structure; see `StoredSegment.open`."""
        stored = StoredSegment.open(folder, manifest, entry)
        path = folder / entry.folder
        # A damaged file could crash the library that reads it, so this comes first.
        for name, file in entry.files.items():
            if name.startswith(SEARCH_FOLDER):
                file.check(path / name)
        _refuse_strangers(path, entry)
        kind = INDEX_KINDS.get(entry.kind)
        if kind is None:
            raise IndexMismatchError(
                f"{folder} holds an index of the unknown kind {entry.kind!r}; known "
                f"are {', '.join(INDEX_KINDS)}. Use a newer version of the program."
            )
        search = path / SEARCH_FOLDER
        try:
            return cls(stored, kind.read(search, stored.descriptors, entry.settings))
        except RuntimeError as error:  # so ScaNN reports all that it cannot read
            raise IndexMismatchError(
                f"{search} cannot be read, though its checksums fit: {error}. Was the "
                "disk full, or is the library another version? Build the index again."
            ) from error


def _refuse_strangers(path: Path, entry: Segment) -> None:
    """A search structure might read a file that is there by mistake."""
    for file in sorted((path / SEARCH_FOLDER).rglob("*")):
        name = file.relative_to(path).as_posix()
        if name not in entry.files and not file.is_dir():
            raise IndexMismatchError(
                f"{file} does not belong to the index. Move it elsewhere."
            )


def open_descriptors(
    path: Path,
    shape: tuple[int, int],
    dtype: str,
    photos: PhotoTable,
    file: StoredFile | None = None,
) -> StoredDescriptors:
    """Opens the descriptors of a segment folder, whose checksums were compared."""
    checksums = np.load(path / CHECKSUMS_FILE, allow_pickle=False)
    return StoredDescriptors(
        path / DESCRIPTORS_FILE, shape, np.dtype(dtype), checksums, photos.keys, file
    )
