"""Photos that are left out of what is built, by their flags."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from vpr_tf.config import QualityConfig
from vpr_tf.photos.errors import PhotoSourceError
from vpr_tf.photos.photo_table import PhotoFiles, RejectedPhoto
from vpr_tf.photos.quality.duplicates import DUPLICATE_RULES
from vpr_tf.photos.quality.flag_table import read_flags
from vpr_tf.photos.quality.image_rules import IMAGE_RULES
from vpr_tf.photos.quality.measuring import measure_photos
from vpr_tf.photos.quality.neighbours import NEIGHBOUR_RULES
from vpr_tf.photos.quality.perceptual_hash import require_imagehash
from vpr_tf.photos.quality.position_rules import POSITION_RULES
from vpr_tf.photos.quality.recurring import RECURRING_RULES
from vpr_tf.photos.quality.rules import Rule, bits_of, flag_names, flag_photos
from vpr_tf.photos.scan import PhotoSource
from vpr_tf.photos.schema import ROW_DTYPE

RULES: tuple[Rule, ...] = (
    *IMAGE_RULES,
    *DUPLICATE_RULES,
    *RECURRING_RULES,
    *POSITION_RULES,
    *NEIGHBOUR_RULES,
)
_OF_DESCRIPTORS = tuple(rule.flag for rule in NEIGHBOUR_RULES)


def leave_out_flagged(
    files: PhotoFiles,
    source: PhotoSource,
    config: QualityConfig,
    folder: Path,
    *,
    workers: int,
    setting: str = "--workers",
) -> PhotoFiles:
    """Leaves out the photos that have one of the flags `config.exclude`.

    Flags are those of the column `flags` of a CSV table; where there is none, the
    photos are looked at.

    Args:
        files: The photos.
        source: Where they come from.
        config: Which flags, and the thresholds.
        folder: Work folder of `measure_photos`; an interrupted run goes on in it.
        workers: Number of processes.
        setting: What the user sets their number by, for messages.

    Returns:
        The others; `excluded` says which are left out, and why.

    Raises:
        PhotoSourceError: A flag cannot be found here, or the table has unknown ones.
        MissingImageHashError: Photos must be looked at, and the package is missing.
        WorkerError: A worker process was killed.
    """
    exclude = config.exclude
    if not exclude:
        return files
    bits = read_flags(source.path, files, source.reading) if source.is_csv else None
    if bits is not None:
        flagged = (bits & bits_of(exclude)) != 0
        names = (
            [name for name in flag_names(int(bits[row])) if name in exclude]
            for row in np.flatnonzero(flagged)
        )
        reasons = (f"{', '.join(of_photo)} in {source.path.name}" for of_photo in names)
        return _without(files, flagged, reasons)
    _refuse_flags_of_descriptors(exclude, source)
    measured = measure_photos(files, folder, workers=workers, setting=setting)
    found = flag_photos(measured, RULES, config)
    for flag in set(exclude) & set(found.not_checked):
        print(f"No photo can be {flag}: nothing is known of what it is found by.")
    flagged = found.with_any(exclude)
    reasons = (found.reason(row, exclude) for row in np.flatnonzero(flagged).tolist())
    return _without(found.files, flagged, reasons)


def check_exclusion(source: PhotoSource, config: QualityConfig) -> None:
    """Sees that `leave_out_flagged` will find the flags, before photos are scanned.

    Args:
        source: Of the photos.
        config: The flags `exclude`.

    Raises:
        PhotoSourceError: See `leave_out_flagged`.
        MissingImageHashError: Likewise.
    """
    rows, keys = np.empty(0, ROW_DTYPE), np.empty(0, "S1")
    nothing = PhotoFiles.from_rows(source.folder, rows, keys)
    if source.is_csv and read_flags(source.path, nothing, source.reading) is not None:
        return
    _refuse_flags_of_descriptors(config.exclude, source)
    require_imagehash()


def _without(
    files: PhotoFiles, flagged: np.ndarray, reasons: Iterable[str]
) -> PhotoFiles:
    paths = [path.decode() for path in files.paths[flagged].tolist()]
    excluded = map(RejectedPhoto, paths, reasons)
    kept = files.take(np.flatnonzero(~flagged))
    return dataclasses.replace(kept, excluded=(*files.excluded, *excluded))


def _refuse_flags_of_descriptors(exclude: list[str], source: PhotoSource) -> None:
    unknown = [flag for flag in exclude if flag in _OF_DESCRIPTORS]
    if unknown:
        raise PhotoSourceError(
            f"`build.quality.exclude` names {', '.join(unknown)}, which is found by "
            "descriptors. Write a table by `vpr photos check "
            f"{source.path} --model MODEL`, and build from that table."
        )
