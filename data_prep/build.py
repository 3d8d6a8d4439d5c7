"""`vpr data build`: from images to a prepared dataset.

Two passes over the images: the first reads what the partition needs, the second
writes the shards with the ids that follow. The state between them and inside them lies
in `<dataset>/.build/`, so that a build that was killed goes on; it ends with the same
bytes as an undisturbed one. The manifest is written last.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from data_prep.build_state import LISTING_NAME, BuildFolder, build_parameters
from data_prep.errors import DataPrepError, wrap_disk_errors
from data_prep.finish import finish_dataset
from data_prep.plan import BuildPlan, Listing, plan_build, write_listing
from data_prep.stages import (
    ScannedSplit,
    assign_train_classes,
    scan_split,
    write_shards,
)
from data_prep.table import csv_lines
from data_prep.workers import WorkerPool
from vpr_tf.config import BuildConfig, ExperimentConfig
from vpr_tf.data import PreparedDataset


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
    """Scans all splits, then writes all shards.

    Args:
        build: How to read and write.
        plan: The splits.
        folder: Work folder.
        listings: What each split holds.
        known_rejected: Rows that rejected.csv begins with.
    """
    with WorkerPool(build.workers) as pool:
        splits = []
        for split in plan.splits:
            work = folder.split_folder(split.name)
            splits.append(ScannedSplit(split, work, listings[split.name]))
        try:
            for scanned in splits:
                scan_split(pool, scanned, build)
        except DataPrepError:
            folder.mark_stopped()
            raise
        finally:
            _collect_rejected(folder.dataset_path, splits, known_rejected)
        for scanned in splits:
            if scanned.plan.name == "train":
                assign_train_classes(scanned, folder.dataset_path, build.partition)
        for scanned in splits:
            write_shards(pool, scanned, folder.dataset_path, build.images_per_shard)
    return splits


def _collect_rejected(
    dataset_path: Path, splits: list[ScannedSplit], known: Sequence[Sequence[str]]
) -> None:
    """Writes rejected.csv from the rejected files of all splits."""
    temporary = dataset_path / ".rejected.csv.tmp"
    with temporary.open("wb") as file:
        file.write(csv_lines([("file", "reason"), *known]))
        for split in splits:
            if split.progress.rejected_size:
                with split.table.rejected_path.open("rb") as part:
                    shutil.copyfileobj(part, file)
    temporary.replace(dataset_path / "rejected.csv")


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
