"""Finds photos: a folder, a CSV table, or files that someone names."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vpr_tf.atomic_files import scratch_folder
from vpr_tf.config import DEFAULT_READING, ReadingConfig
from vpr_tf.photos.errors import PhotoSourceError
from vpr_tf.photos.file_kinds import SkippedFiles
from vpr_tf.photos.photo_table import PhotoFiles, RejectedPhoto
from vpr_tf.photos.scan import PhotoSource, ScannedChunk, scan_chunk
from vpr_tf.photos.schema import ROW_DTYPE
from vpr_tf.terminal_bar import TerminalBar

_CHUNK_ENTRIES = 512
# 40 MB and more, which the system has back when they are freed.
_ROWS_OF_A_PART = 1 << 19


def scan_photos(
    source: str | Path,
    *,
    needs_position: bool = True,
    reading: ReadingConfig = DEFAULT_READING,
    progress: bool = True,
) -> PhotoFiles:
    """Reads metadata and headers of all photos of a folder or CSV table.

    A position comes from the table; in a folder from the name of a file when that
    follows the SF-XL standard, else from its EXIF data.

    Args:
        source: A folder, with its subfolders, or a CSV table.
        needs_position: False takes photos without a position, or with a position,
            heading or time that cannot be, as well; that is unknown, and is told in
            `PhotoFiles.dropped`.
        reading: How names and tables are read.
        progress: Whether to draw a progress bar.

    Returns:
        The photos in the order of the sorted paths, or of the table.

    Raises:
        PhotoSourceError: The source cannot be read, or nothing in it can be used.
    """
    photo_source = PhotoSource(Path(source), needs_position, reading)
    if not photo_source.exists():
        kind = "CSV table" if photo_source.is_csv else "folder"
        raise PhotoSourceError(
            f"No {kind} of photos at {source}. Pass a folder, or a .csv file with the "
            "columns path, latitude and longitude."
        )
    skipped = SkippedFiles()
    with scratch_folder("scan") as scratch:
        entries = (entry for entry, _ in photo_source.walk(scratch, skipped))
        photos = _scan(photo_source, entries, skipped, progress)
    if photo_source.is_csv:
        photos = _without_repetitions(photos)
    if not len(photos):
        raise PhotoSourceError(_nothing_usable(source, photos))
    try:
        photos.photos.positions.refuse_mixture()
    except ValueError as error:
        raise PhotoSourceError(
            f"{source}: {error} `--zone 10S` gives a zone to those without, `--zone "
            "local` takes all as local."
        ) from None
    return photos


def scan_named_photos(files: Sequence[str | Path]) -> PhotoFiles:
    """Reads headers, and positions if there are any, of photos that are named.

    Args:
        files: Photos; of a folder, all that it holds are taken.

    Returns:
        Photos whose keys are their paths. Files that cannot be used are `rejected`,
        none is skipped.
    """
    source = PhotoSource(Path(), False, named=frozenset(map(str, map(Path, files))))
    skipped = SkippedFiles()
    return _scan(source, _expand(files, skipped), skipped, progress=False)


def named_numbers(files: Sequence[str | Path], photos: PhotoFiles) -> list[int]:
    """Returns the number of each photo among all that were named, from 0.

    Those that cannot be used are counted as well.

    Args:
        files: As of `scan_named_photos`.
        photos: What it found of them.
    """
    paths = [path.decode() for path in photos.paths.tolist()]
    known = {*paths, *(one.path for one in photos.rejected)}
    named = [path for path in _expand(files, SkippedFiles()) if path in known]
    numbers, following = [], 0
    for path in paths:
        with contextlib.suppress(ValueError):  # of a file that is gone since
            following = named.index(path, following)
        numbers.append(following)
        following += 1
    return numbers


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


def _scan(
    source: PhotoSource, entries: Iterable[str], skipped: SkippedFiles, progress: bool
) -> PhotoFiles:
    """Scans entries; `skipped` holds when all were walked what was left out."""
    with TerminalBar(
        desc="scan", unit=" photos", disable=None if progress else True
    ) as bar:
        return collect_chunks(source, _scanned(source, entries, bar), skipped)


def _scanned(
    source: PhotoSource, entries: Iterable[str], bar: TerminalBar
) -> Iterator[ScannedChunk]:
    for some_entries in _chunks(entries):
        yield scan_chunk(source, some_entries)
        bar.update(len(some_entries))


def collect_chunks(
    source: PhotoSource, chunks: Iterable[ScannedChunk], skipped: SkippedFiles
) -> PhotoFiles:
    """Puts what was scanned of a source together.

    Args:
        source: Where the chunks come from.
        chunks: All of them, in order.
        skipped: Counts the files that are no photos.
    """
    rows = _Parts(_with_narrow_texts(np.empty(0, ROW_DTYPE)).dtype)
    keys = _Parts("S1")
    rejected: list[RejectedPhoto] = []
    dropped: list[RejectedPhoto] = []
    for chunk in chunks:
        rows.append(_with_narrow_texts(chunk.rows))
        keys.append(np.array(_keys_of(chunk) or [b""], "S")[: len(chunk.rows)])
        rejected += [RejectedPhoto(*entry) for entry in chunk.rejected]
        dropped += [RejectedPhoto(*entry) for entry in chunk.dropped]
        skipped.num_other += chunk.num_other
    photos = PhotoFiles.from_rows(
        source.folder,
        rows.joined(),
        keys.joined(),
        tuple(rejected),
        skipped,
        source.list_file,
    )
    return dataclasses.replace(photos, dropped=tuple(dropped))


def _with_narrow_texts(rows: np.ndarray) -> np.ndarray:
    """Returns rows whose texts are as wide as the longest: few name a drive."""
    widths = {
        name: max(1, int(np.char.str_len(rows[name]).max(initial=0)))
        for name in rows.dtype.fields or ()
        if rows.dtype[name].kind == "S"
    }
    fields = [
        (name, f"S{widths[name]}" if name in widths else rows.dtype[name])
        for name in rows.dtype.names or ()
    ]
    return rows.astype(np.dtype(fields))


class _Parts:
    """An array that comes in parts; joining them takes little more than the result.

    Args:
        dtype: Of the array; of texts, as wide as the widest.
    """

    def __init__(self, dtype: npt.DTypeLike) -> None:
        self._dtype = np.dtype(dtype)
        self._large: list[np.ndarray] = []
        self._small: list[np.ndarray] = []
        self._num_small = 0

    def append(self, part: np.ndarray) -> None:
        """Adds a part at the end."""
        self._dtype = np.result_type(self._dtype, part.dtype)
        self._small.append(part)
        self._num_small += len(part)
        if self._num_small >= _ROWS_OF_A_PART:
            self._join_small()

    def _join_small(self) -> None:
        if self._small:
            self._large.append(np.concatenate(self._small))
            self._small, self._num_small = [], 0

    def joined(self) -> np.ndarray:
        """Returns the whole array, and lets go of the parts on the way."""
        self._join_small()
        whole = np.empty(sum(map(len, self._large)), self._dtype)
        start = 0
        while self._large:
            part = self._large.pop(0)
            whole[start : start + len(part)] = part
            start += len(part)
        return whole


def _chunks(entries: Iterable[str]) -> Iterator[list[str]]:
    entries = iter(entries)
    while chunk := list(itertools.islice(entries, _CHUNK_ENTRIES)):
        yield chunk


def _keys_of(chunk: ScannedChunk) -> list[bytes]:
    ends = itertools.pairwise([0, *chunk.rows["key_end"].tolist()])
    return [chunk.keys[start:end] for start, end in ends]


def _without_repetitions(photos: PhotoFiles) -> PhotoFiles:
    """Rejects photos that a table lists again."""
    repeated = np.zeros(len(photos), bool)
    repeated[_repetitions(photos.paths)] = True
    if not repeated.any():
        return photos
    reason = "path is in the table more than once"
    rejected = [RejectedPhoto(path.decode(), reason) for path in photos.paths[repeated]]
    return photos.take(np.flatnonzero(~repeated)).with_rejected(rejected)


def _repetitions(paths: np.ndarray) -> list[int]:
    """Returns the rows whose path an earlier row has; millions take 16 bytes each."""
    hashes = np.empty(len(paths), np.int64)
    for start in range(0, len(paths), _ROWS_OF_A_PART):
        part = slice(start, start + _ROWS_OF_A_PART)
        hashes[part] = [*map(hash, paths[part].tolist())]
    ordered = np.sort(hashes)
    shared = ordered[1:][ordered[1:] == ordered[:-1]]
    known: set[bytes] = set()
    found = []
    for row in np.flatnonzero(np.isin(hashes, shared)).tolist():
        path = paths[row]
        if path in known:
            found.append(row)
        known.add(path)
    return found


def _expand(files: Sequence[str | Path], skipped: SkippedFiles) -> Iterator[str]:
    for file in map(Path, files):
        if not file.is_dir():
            yield str(file)
            continue
        with scratch_folder("scan") as scratch:
            for entry, _ in PhotoSource(file).walk(scratch, skipped):
                yield str(file / entry)


def _nothing_usable(source: str | Path, photos: PhotoFiles) -> str:
    if not photos.rejected:
        others = f" ({photos.skipped.text})" if photos.skipped.text else ""
        return f"{source} holds no photos: no JPEG or PNG files are in it{others}."
    examples = "".join(f"\n  {path}: {why}" for path, why in photos.rejected[:3])
    return (
        f"None of the {len(photos.rejected):,} photos of {source} can be used. The "
        f"first:{examples}"
    )
