"""A dataset of SF-XL's size that has all but the pixels, built by the library's steps.

Simulated are the folder that is listed, what a scan reads of a photo's file, and the
shards: sparse files, in which the records that a batch needs are written later.
"""

from __future__ import annotations

import dataclasses
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
from PIL import Image

from benchmarks.sf_xl_rows import (
    PANORAMA_DTYPE,
    SIDE_PX,
    draw_panoramas,
    photo_names,
    scanned_chunks,
)
from data_prep.build import scan_split, write_shards
from data_prep.plan import CHUNK_ENTRIES, BuildPlan, Listing, SplitPlan, write_listing
from data_prep.shards import MetadataTable, ScannedSplit, ShardTask, write_atomically
from vpr_tf.config import BuildConfig, DatasetConfig, ExperimentConfig
from vpr_tf.data.records import (
    FRAME_BYTES,
    NO_CLASS,
    RECORD_FIELDS,
    encode_record_parts,
    write_frame,
)
from vpr_tf.photos import PhotoSource
from vpr_tf.photos.file_kinds import SkippedFiles
from vpr_tf.photos.schema import PHOTO_COLUMNS

TRAIN, FEW, MANY = "train", "test-few-queries", "test-many-queries"
_SLOT_BYTES = 8192  # of a record and its frame
_PANORAMAS_AT_ONCE = 4096


@dataclasses.dataclass(frozen=True)
class Size:
    """How much is simulated.

    Attributes:
        rows: Photos of the train split, which is also the database.
        queries: Queries of the two test sets.
        seed: Of all that is drawn.
    """

    rows: int
    queries: tuple[int, int]
    seed: int

    @property
    def photos(self) -> dict[str, int]:
        """Photos of each split."""
        return dict(zip((TRAIN, FEW, MANY), (self.rows, *self.queries), strict=True))


class SimulatedDataset:
    """The dataset on its way to disk.

    Args:
        work: Folder of everything.
        size: How much.
    """

    def __init__(self, work: Path, size: Size) -> None:
        self.work, self.size = work, size
        self.path = work / "dataset"
        self.build = BuildConfig(source=str(work), train=TRAIN)
        self.config = ExperimentConfig(
            name="scale", dataset=DatasetConfig(str(self.path)), build=self.build
        )

    @property
    def plan(self) -> BuildPlan:
        """What `plan_build` says of it."""
        tests = {
            name.removeprefix("test-").removesuffix("-queries"): {
                "database": TRAIN,
                "queries": name,
                "database_has_positions": True,
                "queries_have_positions": True,
            }
            for name in (FEW, MANY)
        }
        return BuildPlan([split.plan for split in self.splits()], None, tests)

    def panoramas(self, split: str) -> Path:
        """File of the panoramas of a split."""
        return self.work / f"{split}.panoramas"

    def draw(self) -> None:
        """Draws all rows; no step of the library."""
        for number, (name, count) in enumerate(self.size.photos.items()):
            (self.work / name).mkdir(parents=True, exist_ok=True)
            (self.path / ".build" / name).mkdir(parents=True, exist_ok=True)
            seed = self.size.seed + number
            draw_panoramas(count, seed, self.size.rows).tofile(self.panoramas(name))

    def list_photos(self) -> None:
        """Lists the folder of each split, which holds nothing: its names are drawn."""
        for name in self.size.photos:
            source = PhotoSource(self.work / name)
            entries = self._scandir(name)
            with mock.patch.object(os, "scandir", return_value=entries):
                listing = write_listing(source, self._work(name) / "listing.bin")
            known = {"num_entries": listing.num_entries, "sha256": listing.sha256}
            (self._work(name) / "listing.json").write_text(json.dumps(known))

    def _scandir(self, split: str) -> Any:
        """Yields the names of a split as a file system does, in no order."""
        panoramas = np.fromfile(self.panoramas(split), PANORAMA_DTYPE)
        np.random.default_rng(self.size.seed).shuffle(panoramas)
        names = (
            os.fsdecode(name)
            for start in range(0, len(panoramas), _PANORAMAS_AT_ONCE)
            for name in photo_names(panoramas[start : start + _PANORAMAS_AT_ONCE])
        )
        entries = (
            _Entry(name)
            for name, _ in zip(names, range(self.size.photos[split]), strict=False)
        )
        return _Scan(entries)

    def splits(self) -> list[ScannedSplit]:
        """Returns the splits as far as they are."""
        found = []
        for name in self.size.photos:
            known = json.loads((self._work(name) / "listing.json").read_text())
            path = self._work(name) / "listing.bin"
            listing = Listing(path, skipped=SkippedFiles(), **known)
            plan = SplitPlan(name, name, PhotoSource(self.work / name))
            found.append(ScannedSplit(plan, self._work(name), listing))
        return found

    def _work(self, split: str) -> Path:
        return self.path / ".build" / split

    def scan(self) -> None:
        """Writes the metadata tables."""
        for split in self.splits():
            pool: Any = _Pool(self.chunks(split.plan.name))
            scan_split(pool, split, self.build, self.work / "rejected.csv")

    def chunks(self, split: str) -> Iterator[Any]:
        """Yields what a scan of a split would give."""
        count = self.size.photos[split]
        return scanned_chunks(self.panoramas(split), count, CHUNK_ENTRIES)

    def write_shards(self) -> list[ScannedSplit]:
        """Makes the sparse shards; returns the splits as they are after it."""
        splits = self.splits()
        for split in splits:
            pool: Any = _Pool(None)
            write_shards(pool, split, self.path, self.build.images_per_shard)
        return splits

    def write_records(self, record_ids: np.ndarray) -> None:
        """Writes records of the train split into the sparse shards."""
        image = io.BytesIO()
        Image.new("RGB", (SIDE_PX, SIDE_PX), (128, 128, 128)).save(image, "JPEG")
        table, per_shard = MetadataTable(self._work(TRAIN)), self.build.images_per_shard
        num_shards = -(-self.size.rows // per_shard)
        for row in record_ids.tolist():
            rows, (key,) = table.read(row, row + 1)
            values = rows[list(PHOTO_COLUMNS)].tolist()[0]
            fields = (image.getvalue(), key, *values, NO_CLASS, NO_CLASS)
            record = dict(zip(RECORD_FIELDS, fields, strict=True))
            shard, place = divmod(row, per_shard)
            name = f"{TRAIN}-{shard:05d}-of-{num_shards:05d}.tfrecord"
            with (self.path / name).open("rb+") as file:
                file.seek(place * _SLOT_BYTES)
                write_frame(file, encode_record_parts(record))


class _Entry:
    """A file of a drawn folder."""

    def __init__(self, name: str) -> None:
        self.name = name

    def is_dir(self) -> bool:
        return False

    def stat(self) -> Any:
        return _STATUS


_STATUS = SimpleNamespace(st_size=_SLOT_BYTES)


class _Scan:
    """What `os.scandir` returns."""

    def __init__(self, entries: Iterator[_Entry]) -> None:
        self._entries = entries

    def __enter__(self) -> Iterator[_Entry]:
        return self._entries

    def __exit__(self, *_: object) -> None:
        pass


class _Pool:
    """Stands for the worker processes: gives what was drawn instead of reading files.

    Args:
        chunks: Of a scan; None where shards are written.
    """

    def __init__(self, chunks: Iterator[Any] | None) -> None:
        self._chunks = chunks

    def map_in_order(
        self,
        function: Callable[..., Any],
        tasks: Iterable[tuple[Any, ...]],
        sees: Sequence[Path] = (),
    ) -> Iterator[Any]:
        """See `WorkerPool.map_in_order`."""
        for task in tasks:
            yield _sparse_shard(*task) if self._chunks is None else next(self._chunks)


def _sparse_shard(task: ShardTask) -> dict[str, Any]:
    """Makes a shard of empty slots, and what `write_shard` writes beside it."""
    count = task.end - task.start
    with task.shard.open("wb") as file:
        file.truncate(count * _SLOT_BYTES)
    lengths = np.full(count, _SLOT_BYTES - FRAME_BYTES, np.int64)
    summary = {
        "file": task.shard.name,
        "num_records": count,
        "num_bytes": count * _SLOT_BYTES,
        "records_sha256": "simulated",
    }
    write_atomically(task.lengths_path, lengths.tobytes())
    write_atomically(task.summary_path, json.dumps(summary).encode())
    return summary
