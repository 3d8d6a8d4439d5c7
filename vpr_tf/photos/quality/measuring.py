"""Measures many photos by several processes; an interrupted run goes on.

In the work folder lie `measures.bin`, rows of `MEASURES_DTYPE` appended chunk by chunk,
`unreadable.jsonl` and `progress.json`, which is written last: what follows after it in
the others was written by a process that was killed, and is written over.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vpr_tf.atomic_files import write_at, write_json
from vpr_tf.cluster import open_workers
from vpr_tf.photos.errors import InvalidEntryError
from vpr_tf.photos.photo_table import PhotoFiles, RejectedPhoto
from vpr_tf.photos.quality.measures import MEASURES_DTYPE, measure_file
from vpr_tf.photos.quality.perceptual_hash import require_imagehash
from vpr_tf.photos.quality.rules import MeasuredPhotos
from vpr_tf.stored_paths import inside
from vpr_tf.stored_values import from_stored, parse_json, read_json
from vpr_tf.terminal_bar import TerminalBar

_CHUNK_PHOTOS = 64
_VERSION = 1  # of what is measured: other numbers are not gone on with
_WORKER_MODULES = ("vpr_tf.photos.quality.measures", "imagehash", "scipy.fftpack")


@dataclass(frozen=True)
class _Progress:
    """How far an earlier run came, and with what."""

    version: int
    photos: str
    num_photos: int
    unreadable_bytes: int


def measure_photos(
    files: PhotoFiles,
    folder: Path,
    *,
    workers: int,
    setting: str = "--workers",
    progress: bool = True,
) -> MeasuredPhotos:
    """Measures photos, or what an interrupted run left to do.

    Args:
        files: The photos.
        folder: Work folder, made if it is missing; it is the caller's to lock and to
            delete. The measures are read from it as long as they are used.
        workers: Number of processes.
        setting: What the user sets their number by, for messages.
        progress: Whether to draw a progress bar.

    Returns:
        The photos that decode, and what was measured of them. Others are `rejected`.

    Raises:
        MissingImageHashError: The package is not installed.
        WorkerError: A worker process was killed.
    """
    require_imagehash()
    folder.mkdir(parents=True, exist_ok=True)
    work = _Work(folder, _Progress(_VERSION, files.identity(), 0, 0))
    done = work.progress.num_photos
    starts = range(done, len(files), _CHUNK_PHOTOS)
    tasks = ((_chunk_of(files, start),) for start in starts)
    first = [Path(files.file(row)) for row in range(min(len(files), 8))]
    bar = TerminalBar(
        *(None, "check", len(files)),
        initial=done,
        unit=" photos",
        disable=None if progress else True,
    )
    with bar:
        if starts:
            with open_workers(workers, setting, _WORKER_MODULES) as pool:
                for rows, unreadable in pool.map_in_order(measure_chunk, tasks, first):
                    work.append(rows, unreadable)
                    bar.update(len(rows))
    return work.result(files)


def measure_chunk(
    photos: Sequence[tuple[str, int, tuple[int, int] | None]],
) -> tuple[np.ndarray, list[tuple[int, str]]]:
    """Measures some photos.

    Args:
        photos: What `measure_file` takes, of each.

    Returns:
        Rows of `MEASURES_DTYPE`, zeros where a photo does not decode; and which photos
        do not, and why.
    """
    rows = np.zeros(len(photos), MEASURES_DTYPE)
    unreadable = []
    for number, (file, orientation, size_px) in enumerate(photos):
        try:
            rows[number] = tuple(measure_file(Path(file), orientation, size_px))
        except InvalidEntryError as error:
            unreadable.append((number, str(error)))
    return rows, unreadable


def _chunk_of(files: PhotoFiles, start: int) -> list[tuple[str, int, tuple[int, int]]]:
    rows = range(start, min(start + _CHUNK_PHOTOS, len(files)))
    return [
        (files.file(row), int(files.exif_orientations[row]), files.size_px(row))
        for row in rows
    ]


class _Work:
    """What was measured so far, on disk."""

    def __init__(self, folder: Path, start: _Progress) -> None:
        self._measures = inside(folder, "measures.bin")
        self._unreadable = inside(folder, "unreadable.jsonl")
        self._state = inside(folder, "progress.json")
        self.progress = self._known(start) or start

    def _known(self, start: _Progress) -> _Progress | None:
        """Returns the progress of an earlier run over the same photos, if any."""
        try:
            known = from_stored(_Progress, read_json(self._state))
            sizes = self._measures.stat().st_size, self._unreadable.stat().st_size
        except (OSError, ValueError):
            return None
        rows = known.num_photos * MEASURES_DTYPE.itemsize
        is_same = (known.version, known.photos) == (start.version, start.photos)
        is_whole = sizes[0] >= rows and sizes[1] >= known.unreadable_bytes
        return known if is_same and is_whole else None

    def append(self, rows: np.ndarray, unreadable: list[tuple[int, str]]) -> None:
        """Appends a chunk after what was measured."""
        start, size = self.progress.num_photos, self.progress.unreadable_bytes
        lines = "".join(f"{json.dumps([start + i, why])}\n" for i, why in unreadable)
        write_at(
            self._measures,
            start * MEASURES_DTYPE.itemsize,
            rows.tobytes(),
            durable=True,
        )
        write_at(self._unreadable, size, lines.encode(), durable=True)
        self.progress = dataclasses.replace(
            self.progress,
            num_photos=start + len(rows),
            unreadable_bytes=size + len(lines.encode()),
        )
        write_json(self._state, dataclasses.asdict(self.progress))

    def result(self, files: PhotoFiles) -> MeasuredPhotos:
        """Returns all photos with their measures, without those that do not decode."""
        if not len(files):
            return MeasuredPhotos(files, np.empty(0, MEASURES_DTYPE))
        measures = np.memmap(self._measures, MEASURES_DTYPE, "r", shape=(len(files),))
        unreadable = dict(self._unreadable_rows())
        if not unreadable:
            return MeasuredPhotos(files, measures)
        keys = files.paths
        rejected = [RejectedPhoto(keys[i].decode(), w) for i, w in unreadable.items()]
        rows = np.setdiff1d(np.arange(len(files)), list(unreadable))
        return MeasuredPhotos(files.take(rows).with_rejected(rejected), measures[rows])

    def _unreadable_rows(self) -> Iterator[tuple[int, str]]:
        content = self._unreadable.read_bytes()[: self.progress.unreadable_bytes]
        for line in content.splitlines():
            row, reason = parse_json(line)
            yield int(row), str(reason)
