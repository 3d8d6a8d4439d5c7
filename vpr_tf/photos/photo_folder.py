"""Finds photos: a folder, a CSV table, or files that someone names."""

from __future__ import annotations

import dataclasses
import itertools
import mimetypes
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from tqdm import tqdm

from vpr_tf.photos.csv_table import walk_csv_table
from vpr_tf.photos.errors import PhotoSourceError
from vpr_tf.photos.image_folder import walk_image_folder
from vpr_tf.photos.metadata import ROW_DTYPE
from vpr_tf.photos.photo_files import PhotoFiles, RejectedPhoto
from vpr_tf.photos.scan import ScannedChunk, ScanSettings, scan_chunk

_CHUNK_ENTRIES = 512
_TYPES = mimetypes.MimeTypes(filenames=())  # those of every machine


def scan_photos(source: str | Path, *, progress: bool = True) -> PhotoFiles:
    """Reads metadata and headers of all photos of a folder or CSV table.

    A position comes from the table; in a folder from the name of a file when that
    follows the SF-XL standard, else from its EXIF data.

    Args:
        source: A folder, with its subfolders, or a CSV table.
        progress: Whether to draw a progress bar.

    Returns:
        The photos in the order of the sorted paths, or of the table.

    Raises:
        PhotoSourceError: The source cannot be read, or nothing in it can be used.
    """
    source = Path(source)
    is_csv = source.suffix.lower() == ".csv"
    if not (source.is_file() if is_csv else source.is_dir()):
        kind = "CSV table" if is_csv else "folder"
        raise PhotoSourceError(
            f"No {kind} of photos at {source}. Pass a folder, or a .csv file with the "
            "columns path, latitude and longitude."
        )
    photos = (_scan_table if is_csv else _scan_folder)(source, progress)
    if not len(photos):
        raise PhotoSourceError(_nothing_usable(source, photos))
    return photos


def scan_named_photos(files: Sequence[str | Path]) -> PhotoFiles:
    """Reads headers, and positions if there are any, of photos that are named.

    Args:
        files: Photos; of a folder, all that it holds are taken.

    Returns:
        Photos whose keys are their paths. Files that cannot be used are `rejected`,
        none is skipped.
    """
    settings = ScanSettings("", False, False, decode=False, use_exif=True)
    return _scan(settings, _expand(files), progress=False)


def check_rejected_fraction(
    photos: PhotoFiles, num_rejected: int, largest_fraction: float, source: object
) -> None:
    """Stops what would go on with too few of the photos.

    Args:
        photos: The photos.
        num_rejected: How many photos cannot be used, of `photos` and besides.
        largest_fraction: Of all.
        source: Where they come from, for the message.

    Raises:
        PhotoSourceError: There are more.
    """
    total = len(photos) + len(photos.rejected)
    if num_rejected <= largest_fraction * total:
        return
    examples = "".join(f"\n  {path}: {why}" for path, why in photos.rejected[:3])
    raise PhotoSourceError(
        f"{num_rejected:,} of {total:,} photos of {source} cannot be used, more than "
        f"the share {largest_fraction:g}.{' The first:' if examples else ''}{examples}"
        "\nMend or remove them, or allow more by --max-rejected-fraction."
    )


def _scan_folder(folder: Path, progress: bool) -> PhotoFiles:
    settings = ScanSettings(str(folder), False, True, decode=False, use_exif=True)
    num_skipped = 0

    def candidates() -> Iterator[str]:
        nonlocal num_skipped
        with tempfile.TemporaryDirectory(prefix="vpr_tf_scan_") as scratch:
            for path, _ in walk_image_folder(folder, Path(scratch)):
                if _may_be_photo(path):
                    yield path
                else:
                    num_skipped += 1

    photos = _scan(settings, candidates(), progress)
    return dataclasses.replace(photos, num_skipped=num_skipped)


def _scan_table(table: Path, progress: bool) -> PhotoFiles:
    settings = ScanSettings(str(table.parent), True, True, decode=False)
    entries = (entry for entry, _ in walk_csv_table(table, needs_position=True))
    return _without_repetitions(_scan(settings, entries, progress))


def _scan(settings: ScanSettings, entries: Iterable[str], progress: bool) -> PhotoFiles:
    rows = [np.empty(0, ROW_DTYPE)]
    keys: list[bytes] = []
    rejected: list[RejectedPhoto] = []
    with tqdm(desc="scan", unit=" photos", disable=None if progress else True) as bar:
        for chunk_entries in _chunks(entries):
            chunk = scan_chunk(settings, chunk_entries)
            rows.append(chunk.rows)
            keys += _keys_of(chunk)
            rejected += [RejectedPhoto(*entry) for entry in chunk.rejected]
            bar.update(len(chunk_entries))
    return PhotoFiles.from_rows(
        Path(settings.folder),
        np.concatenate(rows),
        np.array(keys, "S" if keys else "S1"),
        tuple(rejected),
    )


def _chunks(entries: Iterable[str]) -> Iterator[list[str]]:
    entries = iter(entries)
    while chunk := list(itertools.islice(entries, _CHUNK_ENTRIES)):
        yield chunk


def _may_be_photo(path: str) -> bool:
    """Whether a name is that of an image, or says nothing.

    Hidden files, such as those that some systems put beside each photo, are none.
    """
    path_in_folder = PurePosixPath(path)
    kind, _ = _TYPES.guess_type(path_in_folder.name)
    is_hidden = any(part.startswith(".") for part in path_in_folder.parts)
    return not is_hidden and (kind or "image/").startswith("image/")


def _keys_of(chunk: ScannedChunk) -> list[bytes]:
    ends = itertools.pairwise([0, *chunk.rows["key_end"].tolist()])
    return [chunk.keys[start:end] for start, end in ends]


def _without_repetitions(photos: PhotoFiles) -> PhotoFiles:
    """Rejects photos that a table lists again."""
    _, first = np.unique(photos.paths, return_index=True)
    if len(first) == len(photos):
        return photos
    repeated = np.setdiff1d(np.arange(len(photos)), first)
    reason = "path is in the table more than once"
    rejected = [RejectedPhoto(path.decode(), reason) for path in photos.paths[repeated]]
    return photos.take(np.sort(first)).with_rejected(rejected)


def _expand(files: Sequence[str | Path]) -> Iterator[str]:
    for file in map(Path, files):
        if not file.is_dir():
            yield str(file)
            continue
        with tempfile.TemporaryDirectory(prefix="vpr_tf_scan_") as scratch:
            for entry, _ in walk_image_folder(file, Path(scratch)):
                if _may_be_photo(entry):
                    yield str(file / entry)


def _nothing_usable(source: Path, photos: PhotoFiles) -> str:
    if not photos.rejected:
        return f"{source} holds no photos: no JPEG or PNG files are in it."
    examples = "".join(f"\n  {path}: {why}" for path, why in photos.rejected[:3])
    return (
        f"None of the {len(photos.rejected):,} photos of {source} can be used. The "
        f"first:{examples}"
    )
