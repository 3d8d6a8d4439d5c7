"""Photos that a dataset leaves out by area or flags, between scan and shards."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from data_prep.area import leave_out_beyond
from data_prep.errors import DataPrepError
from data_prep.plan import SplitPlan
from data_prep.shards import MetadataTable, Progress, ScannedSplit
from vpr_tf.config import BuildConfig
from vpr_tf.photos import PhotoSourceError
from vpr_tf.photos.file_kinds import SkippedFiles
from vpr_tf.photos.photo_folder import collect_chunks
from vpr_tf.photos.quality import check_exclusion, leave_out_flagged
from vpr_tf.photos.quality.perceptual_hash import MissingImageHashError
from vpr_tf.photos.scan import ScannedChunk
from vpr_tf.photos.schema import ROW_DTYPE

_ROWS_AT_ONCE = 1 << 16


@contextmanager
def _wrap_quality_errors() -> Iterator[None]:
    try:
        yield
    except (PhotoSourceError, MissingImageHashError) as error:
        raise DataPrepError(str(error)) from error


@_wrap_quality_errors()
def require_findable_flags(plan: SplitPlan, build: BuildConfig) -> None:
    """Sees, before a long scan, that `exclude_photos` will find the flags.

    Raises:
        DataPrepError: It will not; the message says why.
    """
    if _leaves_out_flags(plan, build):
        check_exclusion(plan.source, build.quality)


def _leaves_out_flags(plan: SplitPlan, build: BuildConfig) -> bool:
    return bool(build.quality.exclude) and not plan.name.endswith("-queries")


def _leaves_out_places(plan: SplitPlan, build: BuildConfig) -> bool:
    return bool(build.area.limits) and plan.source.needs_position


@_wrap_quality_errors()
def exclude_photos(split: ScannedSplit, build: BuildConfig) -> None:
    """Leaves out photos outside `build.area` or with a flag of `quality.exclude`.

    Queries are what users will send, good or bad: none is left out by a flag. The kept
    rows become a table of their own, whose progress is written last: a build that was
    killed before begins it anew, with what was measured.

    Args:
        split: Its table is replaced.
        build: The area, which flags, and the thresholds.

    Raises:
        DataPrepError: No photo is left, or see `leave_out_flagged`.
    """
    by_place = _leaves_out_places(split.plan, build)
    by_flags = _leaves_out_flags(split.plan, build)
    if not (by_place or by_flags):
        return
    table = MetadataTable(split.work.with_name(f"{split.plan.name}.kept"))
    table.folder.mkdir(exist_ok=True)
    progress = table.progress()
    if progress.num_entries != split.progress.num_entries:
        progress = _write_kept(split, build, table)
    split.table, split.work, split.progress = table, table.folder, progress
    if by_place:
        print(
            f"{split.plan.name}: {progress.num_outside:,} photos outside `build.area`"
        )
    if not progress.num_rows and not progress.num_flagged and progress.num_outside:
        raise DataPrepError(
            f"No photo of {split.plan.source.path} is left (split {split.plan.name}): "
            f"none lies in `build.area`, {build.area.limits}. Widen it."
        )
    if not progress.num_rows and progress.num_flagged:
        raise DataPrepError(
            f"No photo of {split.plan.source.path} is left (split {split.plan.name}): "
            f"all {'in `build.area` ' if by_place else ''}have a flag of "
            "`build.quality.exclude`. Leave out fewer flags: "
            f"{', '.join(build.quality.exclude)}."
        )
    if by_flags:
        number = f"{progress.num_flagged:,}"
        print(f"{split.plan.name}: {number} photos left out by their flags")


def _write_kept(
    split: ScannedSplit, build: BuildConfig, table: MetadataTable
) -> Progress:
    chunks = (
        _chunk_of(rows, [key.encode() for key in keys])
        for rows, keys in split.table.iterate(split.progress.num_rows)
    )
    kept = collect_chunks(split.plan.source, chunks, SkippedFiles())
    if _leaves_out_places(split.plan, build):
        kept = leave_out_beyond(kept, build.area)
    num_outside = len(kept.excluded)
    if _leaves_out_flags(split.plan, build) and len(kept):
        kept = leave_out_flagged(
            kept,
            split.plan.source,
            build.quality,
            split.work.with_name(f"{split.plan.name}.measures"),
            workers=build.workers,
            setting="build.workers",
        )
    shutil.copyfile(split.table.rejected_path, table.rejected_path)
    progress = dataclasses.replace(
        split.progress,
        num_rows=0,
        keys_size=0,
        longest_key=0,
        longest_timestamp=0,
        groups={},
    )
    left_out = [(one.path, one.reason) for one in (*kept.rejected, *kept.excluded)]
    table.append(
        progress, _chunk_of(kept.rows[:0], [], left_out), split.plan.rejected_prefix
    )
    for start in range(0, len(kept), _ROWS_AT_ONCE):
        part = slice(start, start + _ROWS_AT_ONCE)
        chunk = _chunk_of(kept.rows[part], kept.paths[part].tolist())
        table.append(progress, chunk, split.plan.rejected_prefix)
    progress.num_outside = num_outside
    progress.num_flagged = len(kept.excluded) - num_outside
    progress.num_rejected -= len(kept.excluded)
    table.write_checkpoint(progress)
    return progress


def _chunk_of(
    rows: np.ndarray, keys: list[bytes], left_out: Sequence[tuple[str, str]] = ()
) -> ScannedChunk:
    """Returns photos as if they had been scanned at once."""
    rows = rows.astype(ROW_DTYPE)
    lengths = [len(key) for key in keys]
    rows["key_end"] = np.cumsum(lengths, dtype=np.int64)
    longest = max(lengths, default=0)
    return ScannedChunk(rows, b"".join(keys), [*left_out], [], longest, 0.0, 0)
