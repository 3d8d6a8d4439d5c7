"""The stages of a build, each of which goes on where a killed one stopped."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from data_prep.errors import DataPrepError
from data_prep.partition.assignment import (
    ClassAssignment,
    Columns,
    assign_classes,
    needed_columns,
)
from data_prep.partition.files import summary, write_partition
from data_prep.plan import Listing, SplitPlan, read_chunks
from data_prep.table import MetadataTable
from data_prep.workers import WorkerPool
from data_prep.writer import ShardTask, finished_summary, write_shard
from vpr_tf.config import BuildConfig, PartitionConfig
from vpr_tf.data.records import NO_CLASS
from vpr_tf.geo import constant_heading_text
from vpr_tf.photos.file_kinds import SkippedFiles
from vpr_tf.photos.scan import scan_chunk

_REJECTED_EXAMPLES = 3
_IDS_AT_ONCE = 1 << 19


class ScannedSplit:
    """A split on its way to disk.

    Args:
        plan: Its name and source.
        work: Its work folder.
        listing: What the source holds.
    """

    def __init__(self, plan: SplitPlan, work: Path, listing: Listing) -> None:
        self.plan = plan
        self.work = work
        self.listing = listing
        self.table = MetadataTable(work)
        self.progress = self.table.progress()
        self.tasks: list[ShardTask] = []
        self.shards: list[dict[str, Any]] = []

    @property
    def skipped(self) -> SkippedFiles:
        """Files beside the photos, as far as they were scanned."""
        known = self.listing.skipped
        num_other = known.num_other + self.progress.num_other
        return SkippedFiles(known.num_hidden, num_other)


def scan_split(pool: WorkerPool, split: ScannedSplit, build: BuildConfig) -> None:
    """Reads the metadata of all images of a split into its table.

    Raises:
        DataPrepError: More than `max_rejected_fraction` cannot be used.
    """
    source, decode = split.plan.source, build.verify == "full"
    progress, listing = split.progress, split.listing
    offsets: list[int] = []

    def tasks() -> Iterable[tuple[Any, ...]]:
        for entries, offset in read_chunks(listing, progress.listing_offset):
            offsets.append(offset)
            yield source, entries

    decode_seconds, decoded = 0.0, 0
    description = f"scan {split.plan.name}"
    with _bar(description, listing.num_entries, progress.num_entries) as bar:
        for chunk in pool.map_in_order(partial(scan_chunk, decode=decode), tasks()):
            split.table.append(progress, chunk, split.plan.rejected_prefix)
            progress.listing_offset = offsets.pop(0)
            num_entries = len(chunk.rows) + len(chunk.rejected) + chunk.num_other
            progress.num_entries += num_entries
            split.table.write_checkpoint(progress)
            bar.update(num_entries)
            decode_seconds += chunk.decode_seconds
            decoded += len(chunk.rows)
            _refuse_too_many_rejected(split, build.max_rejected_fraction)
    _refuse_too_many_rejected(split, build.max_rejected_fraction)
    text = f"{split.plan.name}: {progress.num_rows:,} images"
    text += f", {progress.num_rejected:,} rejected"
    if skipped := split.skipped.text:
        text += f"; left out {skipped}"
    if source.list_file is not None:
        text += f"; those that {source.list_file} names"
    if decode_seconds:
        speed = decoded / decode_seconds
        text += f"; decoded {decoded:,} at {speed:,.0f} images/s a worker"
    print(text)
    if remark := _heading_remark(split):
        print(f"{split.plan.name}: {remark}")


def _heading_remark(split: ScannedSplit) -> str:
    low, high, count = np.inf, -np.inf, 0
    for rows in split.table.iterate_rows(split.progress.num_rows):
        known = rows["heading_deg"][rows["heading_deg"] >= 0]
        low, high = known.min(initial=low), known.max(initial=high)
        count += len(known)
    return constant_heading_text(float(low), float(high), count)


def assign_train_classes(
    split: ScannedSplit, dataset_path: Path, config: PartitionConfig
) -> None:
    """Partitions the train split and notes the ids of every image."""
    names = needed_columns(config)

    def read_columns() -> Iterable[Columns]:
        for rows in split.table.iterate_rows(split.progress.num_rows):
            yield tuple(rows[name] for name in names)

    assignment = assign_classes(read_columns, config)
    _write_ids(split.table.class_ids_path, assignment)
    write_partition(dataset_path, assignment, config)
    print(summary(assignment, config))


def write_shards(
    pool: WorkerPool, split: ScannedSplit, dataset_path: Path, images_per_shard: int
) -> None:
    """Writes the shards that are not complete yet."""
    num_rows = split.progress.num_rows
    num_shards = -(-num_rows // images_per_shard)
    split.tasks = [
        ShardTask(
            images=str(split.plan.source.folder),
            work=split.work,
            shard=dataset_path
            / f"{split.plan.name}-{i:05d}-of-{num_shards:05d}.tfrecord",
            start=i * images_per_shard,
            end=min((i + 1) * images_per_shard, num_rows),
        )
        for i in range(num_shards)
    ]
    known = [finished_summary(task) for task in split.tasks]
    todo = [(task,) for task, done in zip(split.tasks, known, strict=True) if not done]
    finished = sum(done["num_records"] for done in known if done)
    written = pool.map_in_order(write_shard, todo)
    with _bar(f"write {split.plan.name}", num_rows, finished) as bar:
        for done in known:
            if done is None:
                done = next(written)
                bar.update(done["num_records"])
            split.shards.append(done)


def _write_ids(path: Path, assignment: ClassAssignment) -> None:
    """Writes class and group id of every row as int32 pairs."""
    groups = np.append(assignment.classes["group_id"], np.int32(NO_CLASS))
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as file:
        for start in range(0, len(assignment.class_ids), _IDS_AT_ONCE):
            class_ids = assignment.class_ids[start : start + _IDS_AT_ONCE]
            np.stack([class_ids, groups[class_ids]], 1).astype("<i4").tofile(file)
    temporary.replace(path)


def _refuse_too_many_rejected(split: ScannedSplit, largest_fraction: float) -> None:
    progress = split.progress
    num_entries = split.listing.num_entries - progress.num_other
    if not num_entries:
        raise DataPrepError(
            f"{split.plan.source.path} holds no photos (split {split.plan.name}); "
            f"there are {split.skipped.text}."
        )
    all_rejected = progress.num_rejected == num_entries
    if progress.num_rejected <= largest_fraction * num_entries and not all_rejected:
        return
    with split.table.rejected_path.open(encoding="utf-8") as file:
        examples = [line.strip() for line in islice(file, _REJECTED_EXAMPLES)]
    raise DataPrepError(
        f"{progress.num_rejected:,} of the first {progress.num_entries:,} files of "
        f"{split.plan.source.path} cannot be used (of {num_entries:,} in all; "
        f"`build.max_rejected_fraction` is {largest_fraction:g}). The first:"
        + "".join(f"{os.linesep}  {example}" for example in examples)
        + f"{os.linesep}All are in rejected.csv. Mend or remove them, or allow more."
    )


def _bar(description: str, total: int, initial: int) -> Any:
    """A progress bar on a terminal, nothing in a log."""
    return tqdm(
        desc=description, total=total, initial=initial, unit="image", disable=None
    )
