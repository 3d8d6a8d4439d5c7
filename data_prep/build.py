"""`vpr data build`: from images to a prepared dataset.

Two passes over the images: the first reads what the partition needs, the second
writes the shards with the ids that follow. The state between them and inside them lies
in `<dataset>/.build/`, so that a build that was killed goes on; it ends with the same
bytes as an undisturbed one. The manifest is written last.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from data_prep.build_state import LISTING_NAME, BuildFolder, build_parameters
from data_prep.errors import DataPrepError, wrap_disk_errors
from data_prep.exclusion import exclude_photos, require_findable_flags
from data_prep.finish import finish_dataset
from data_prep.partition.assignment import (
    ClassAssignment,
    Columns,
    assign_classes,
    needed_columns,
    summary,
    write_partition,
)
from data_prep.plan import (
    BuildPlan,
    Listing,
    plan_build,
    read_chunks,
    write_listing,
)
from data_prep.shards import (
    ScannedSplit,
    ShardTask,
    csv_lines,
    finished_summary,
    write_shard,
)
from vpr_tf.atomic_files import new_file
from vpr_tf.cluster import Workers, open_workers
from vpr_tf.config import BuildConfig, ExperimentConfig, PartitionConfig
from vpr_tf.data import PreparedDataset
from vpr_tf.data.records import NO_CLASS
from vpr_tf.geo import constant_heading_text, local_text
from vpr_tf.photos import dropped_text
from vpr_tf.photos.scan import scan_chunk
from vpr_tf.photos.schema import UNKNOWN_DEGREES_E7
from vpr_tf.terminal_bar import TerminalBar

_REJECTED_EXAMPLES = 3
_IDS_AT_ONCE = 1 << 19
WORKER_MODULES = ("vpr_tf.photos.scan", "data_prep.shards")


def build_dataset(config: ExperimentConfig) -> PreparedDataset:
    """Builds a dataset, continues an interrupted build, or finds it complete.

    Raises:
        DataPrepError: The source, the folder or the disk do not allow it; too many
            images are rejected; the folder belongs to another build.
    """
    start = time.perf_counter()
    path = Path(config.dataset.path)
    plan = plan_build(config.build)
    refuse_nesting(path, plan)
    with BuildFolder(path, build_parameters(config.build)) as folder:
        with wrap_disk_errors(path):
            listings = list_sources(plan, folder)
            added = folder.added_splits()
            built = {name: listings[name] for name in listings if name not in added}
            source_fingerprint = source_fingerprint_of(built)
            if folder.is_complete(source_fingerprint):
                folder.remove()
                print(f"{path} is complete; nothing to do.")
                return PreparedDataset(path)
            folder.begin_or_continue(source_fingerprint)
            splits = build_splits(config.build, plan, folder, listings)
            finish_dataset(config, plan, splits, source_fingerprint)
        folder.remove()
    num_images = sum(split.progress.num_rows for split in splits)
    seconds = time.perf_counter() - start
    print(f"{path} is complete: {num_images:,} images in {seconds:.1f} s.")
    return PreparedDataset(path)


def build_splits(
    build: BuildConfig,
    plan: BuildPlan,
    folder: BuildFolder,
    listings: dict[str, Listing],
    known_rejected: Sequence[Sequence[str]] = (),
) -> list[ScannedSplit]:
    """Scans all splits, leaves out what is outside or flagged, then writes shards.

    Args:
        build: How to read and write.
        plan: The splits.
        folder: Work folder.
        listings: What each split holds.
        known_rejected: Rows that rejected.csv begins with.
    """
    with open_workers(build.workers, "build.workers", WORKER_MODULES) as pool:
        splits = []
        for split in plan.splits:
            work = folder.split_folder(split.name)
            splits.append(ScannedSplit(split, work, listings[split.name]))
        rejected = folder.dataset_path / "rejected.csv"
        try:
            for split in plan.splits:
                require_findable_flags(split, build)
            for scanned in splits:
                scan_split(pool, scanned, build, rejected)
                exclude_photos(scanned, build)
                # Decoding every photo may have found more.
                _refuse_too_many_rejected(
                    scanned, build.max_rejected_fraction, rejected
                )
        except DataPrepError:
            folder.mark_stopped()
            raise
        finally:
            _collect_rejected(rejected, splits, known_rejected)
        for scanned in splits:
            if scanned.plan.name == "train":
                assign_train_classes(scanned, folder.dataset_path, build.partition)
        for scanned in splits:
            write_shards(pool, scanned, folder.dataset_path, build.images_per_shard)
    return splits


def _collect_rejected(
    path: Path, splits: list[ScannedSplit], known: Sequence[Sequence[str]]
) -> None:
    """Writes the table of the rejected files of all splits."""
    with new_file(path) as temporary, temporary.open("wb") as file:
        file.write(csv_lines([("file", "reason"), *known]))
        for split in splits:
            if split.progress.rejected_size:
                with split.table.rejected_path.open("rb") as part:
                    shutil.copyfileobj(part, file)


def list_sources(plan: BuildPlan, folder: BuildFolder) -> dict[str, Listing]:
    """Lists the entries of every split."""
    listings = {}
    for split in plan.splits:
        path = folder.split_folder(split.name) / LISTING_NAME
        listing = write_listing(split.source, path)
        found = listing.skipped.text
        if not listing.num_entries:
            raise DataPrepError(
                f"{split.source.path} holds no photos (split {split.name})"
                f"{found and f'; there are {found}'}."
            )
        listings[split.name] = listing
    return listings


def source_fingerprint_of(listings: dict[str, Listing]) -> str:
    """Hashes names and sizes of all source files."""
    digest = hashlib.sha256()
    for name, listing in listings.items():
        digest.update(f"{name} {listing.sha256}\n".encode())
    return digest.hexdigest()


def refuse_nesting(path: Path, plan: BuildPlan) -> None:
    """The dataset must not lie in a folder that it is built from."""
    dataset = path.resolve()
    for split in plan.splits:
        if not split.source.is_csv and dataset.is_relative_to(
            split.source.path.resolve()
        ):
            raise DataPrepError(
                f"`dataset.path` {path} lies in the image folder {split.source.path}. "
                "Choose a folder outside."
            )


def scan_split(
    pool: Workers, split: ScannedSplit, build: BuildConfig, rejected: Path
) -> None:
    """Reads the metadata of all images of a split into its table.

    Args:
        pool: Reads the files.
        split: Its progress is changed.
        build: How to read.
        rejected: Where all rejected files will be listed.

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
        scan = partial(scan_chunk, decode=decode)
        for chunk in pool.map_in_order(scan, tasks(), _first_photos(split)):
            split.table.append(progress, chunk, split.plan.rejected_prefix)
            progress.listing_offset = offsets.pop(0)
            num_entries = len(chunk.rows) + len(chunk.rejected) + chunk.num_other
            progress.num_entries += num_entries
            split.table.write_checkpoint(progress)
            bar.update(num_entries)
            decode_seconds += chunk.decode_seconds
            decoded += len(chunk.rows)
            _refuse_too_many_rejected(split, build.max_rejected_fraction, rejected)
    _refuse_too_many_rejected(split, build.max_rejected_fraction, rejected)
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
    if progress.num_dropped:
        examples = ((path, reason) for path, reason in progress.dropped)
        print(f"{split.plan.name}: {dropped_text(progress.num_dropped, examples)}")
    for remark in _remarks(split):
        print(f"{split.plan.name}: {remark}")


def _remarks(split: ScannedSplit) -> Iterator[str]:
    """Yields what is worth a look.

    Raises:
        DataPrepError: Some positions are local coordinates and others are not.
    """
    low, high, count, num_local, num_on_earth = np.inf, -np.inf, 0, 0, 0
    for rows in split.table.iterate_rows(split.progress.num_rows):
        known = rows["heading_deg"][rows["heading_deg"] >= 0]
        low, high = known.min(initial=low), known.max(initial=high)
        count += len(known)
        num_local += int((rows["latitude_e7"] == UNKNOWN_DEGREES_E7).sum())
        num_on_earth += int((rows["utm_zone"] != 0).sum())
    if remark := constant_heading_text(float(low), float(high), count):
        yield remark
    if num_local and num_on_earth:
        raise DataPrepError(
            f"{split.plan.source.path} has {num_local:,} photos of local coordinates "
            f"(metres without a UTM zone) and {num_on_earth:,} of positions on the "
            "earth; they cannot be compared. Give all a zone, as by "
            "`build.reading.zone`, or none."
        )
    if num_local:
        yield local_text(num_local)


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
    pool: Workers, split: ScannedSplit, dataset_path: Path, images_per_shard: int
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
    sees = [*_first_photos(split), *split.table.files]
    written = pool.map_in_order(write_shard, todo, sees)
    with _bar(f"write {split.plan.name}", num_rows, finished) as bar:
        for done in known:
            if done is None:
                done = next(written)
                bar.update(done["num_records"])
            split.shards.append(done)
    _require_shards(split)


def _require_shards(split: ScannedSplit) -> None:
    """Sees that what other machines wrote is here."""
    for task, done in zip(split.tasks, split.shards, strict=True):
        if not task.shard.is_file() or task.shard.stat().st_size != done["num_bytes"]:
            raise DataPrepError(
                f"{task.shard} is not here, although it was written. `dataset.path` "
                "must be one folder on all machines. Run the same command again."
            )


def _first_photos(split: ScannedSplit) -> list[Path]:
    """Returns photos by which a machine shows that it sees the folder of all."""
    source = split.plan.source
    entries, _ = next(read_chunks(split.listing, 0))
    return [source.folder / source.read_entry(entry)[0] for entry in entries[:8]]


def _write_ids(path: Path, assignment: ClassAssignment) -> None:
    """Writes class and group id of every row as int32 pairs."""
    groups = np.append(assignment.classes["group_id"], np.int32(NO_CLASS))
    with new_file(path) as temporary, temporary.open("wb") as file:
        for start in range(0, len(assignment.class_ids), _IDS_AT_ONCE):
            class_ids = assignment.class_ids[start : start + _IDS_AT_ONCE]
            np.stack([class_ids, groups[class_ids]], 1).astype("<i4").tofile(file)


def _refuse_too_many_rejected(
    split: ScannedSplit, largest_fraction: float, rejected: Path
) -> None:
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
        + f"{os.linesep}All are in {rejected}. Mend or remove them, or allow more."
    )


def _bar(description: str, total: int, initial: int) -> Any:
    """A progress bar on a terminal, nothing in a log."""
    return TerminalBar(
        desc=description, total=total, initial=initial, unit="image", disable=None
    )
