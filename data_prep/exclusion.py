"""Photos that a dataset leaves out by their flags, between scanning and writing."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

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
    """Sees, before a long scan, that `exclude_flagged` will find the flags.

    Raises:
        DataPrepError: It will not; the message says why.
    """
    if _leaves_out(plan, build):
        check_exclusion(plan.source, build.quality)


def _leaves_out(plan: SplitPlan, build: BuildConfig) -> bool:
    return bool(build.quality.exclude) and not plan.name.endswith("-queries")


@_wrap_quality_errors()
def exclude_flagged(split: ScannedSplit, build: BuildConfig) -> None:
    """Leaves out the photos of a scanned split that have a flag of `quality.exclude`.

    Queries are what users will send, good or bad, so all of them are kept. The kept
    rows become a table of their own, whose progress is written last: a build that was
    killed before begins it anew, with what was measured.

    Args:
        split: Its table is replaced.
        build: Which flags, and the thresholds.

    Raises:
        DataPrepError: All photos have a flag, or see `leave_out_flagged`.
    """
    if not _leaves_out(split.plan, build):
        return
    table = MetadataTable(split.work.with_name(f"{split.plan.name}.kept"))
    table.folder.mkdir(exist_ok=True)
    progress = table.progress()
    if progress.num_entries != split.progress.num_entries:
        progress = _write_kept(split, build, table)
    split.table, split.work, split.progress = table, table.folder, progress
    if not progress.num_rows and progress.num_flagged:
        raise DataPrepError(
            f"No photo of {split.plan.source.path} is left (split {split.plan.name}): "
            f"all have a flag of `build.quality.exclude`. Leave out fewer flags: "
            f"{', '.join(build.quality.exclude)}."
        )
    print(f"{split.plan.name}: {progress.num_flagged:,} photos left out by their flags")


def _write_kept(
    split: ScannedSplit, build: BuildConfig, table: MetadataTable
) -> Progress:
    chunks = (
        _chunk_of(rows, [key.encode() for key in keys])
        for rows, keys in split.table.iterate(split.progress.num_rows)
    )
    kept = leave_out_flagged(
        collect_chunks(split.plan.source, chunks, SkippedFiles()),
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
    progress.num_flagged = len(kept.excluded)
    progress.num_rejected -= progress.num_flagged
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
