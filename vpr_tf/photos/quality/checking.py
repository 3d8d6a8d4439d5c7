"""Photos that are left out of what is built, by their flags."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from vpr_tf.config import QualityConfig
from vpr_tf.photos.errors import PhotoSourceError
from vpr_tf.photos.photo_table import PhotoFiles
from vpr_tf.photos.quality.duplicates import DUPLICATE_RULES
from vpr_tf.photos.quality.flag_table import TableFlags, read_flags
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
    *RECURRING_RULES,
    *POSITION_RULES,
    *NEIGHBOUR_RULES,
    *DUPLICATE_RULES,  # of copies the one with the fewest other flags is kept
)
_OF_DESCRIPTORS = tuple(rule.flag for rule in NEIGHBOUR_RULES)
_OF_DRIVES = tuple(rule.flag for rule in (*RECURRING_RULES, *POSITION_RULES))


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
    photos are looked at. A copy stays where the photo that it is a copy of is not
    there, or is left out by another flag.

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
        PhotoSourceError: A flag cannot be found here, the table has unknown ones, or
            was written without looking for it.
        MissingImageHashError: Photos must be looked at, and the package is missing.
        WorkerError: A worker process was killed.
    """
    exclude = config.exclude
    if not exclude:
        return files
    table = read_flags(source.path, files, source.reading) if source.is_csv else None
    if table is not None:
        _refuse_not_told(exclude, table, source.path)
        _tell_unknown(_not_told(exclude, table))
        bits = table.flags
        flagged = _left_out(bits, exclude, files.paths, table.originals)
        names = (
            [name for name in flag_names(int(bits[row])) if name in exclude]
            for row in np.flatnonzero(flagged)
        )
        reasons = (f"{', '.join(of_photo)} in {source.path.name}" for of_photo in names)
        return files.without(flagged, reasons)
    _refuse_flags_of_descriptors(exclude, source)
    measured = measure_photos(files, folder, workers=workers, setting=setting)
    found = flag_photos(measured, RULES, config)
    _tell_unknown(flag for flag in exclude if flag in found.not_checked)
    originals = {
        rule.flag: finding.values
        for rule, finding in zip(found.rules, found.findings, strict=True)
        if rule in DUPLICATE_RULES
    }
    flagged = _left_out(found.flags, exclude, found.files.photos.keys, originals)
    reasons = (found.reason(row, exclude) for row in np.flatnonzero(flagged).tolist())
    return found.files.without(flagged, reasons)


def _left_out(
    bits: np.ndarray,
    exclude: list[str],
    names: np.ndarray,
    originals: Mapping[str, np.ndarray],
) -> np.ndarray:
    """Returns which photos are left out, bool.

    Args:
        bits: The flags of each.
        exclude: Those that leave out.
        names: Of the photos.
        originals: For flags of copies the names of what they are copies of, empty
            where that is unknown.
    """
    others = [flag for flag in exclude if flag not in originals]
    result = by_others = (bits & bits_of(others)) != 0
    # A copy may be a copy of a copy, which then has a better one that stays.
    remaining = {b"", *names[~by_others].tolist()}
    for flag in set(exclude) - set(others):
        has_better = [name in remaining for name in originals[flag].tolist()]
        result = result | (((bits & bits_of([flag])) != 0) & has_better)
    return result


def _not_told(exclude: list[str], table: TableFlags) -> list[str]:
    """Returns the flags of which a table has neither what is measured nor a photo."""
    column_of = {rule.flag: rule.value for rule in RULES}
    return [
        flag
        for flag in exclude
        if column_of[flag] not in table.columns and not table.named & bits_of([flag])
    ]


def _refuse_not_told(exclude: list[str], table: TableFlags, path: Path) -> None:
    """Refuses flags that nobody looked for; of drives little may be known."""
    missing = [flag for flag in _not_told(exclude, table) if flag not in _OF_DRIVES]
    if missing:
        model = " --model MODEL" if set(missing) & set(_OF_DESCRIPTORS) else ""
        columns = [rule.value for rule in RULES if rule.flag in missing]
        raise PhotoSourceError(
            f"`build.quality.exclude` names {', '.join(missing)}, which {path} does "
            f"not tell of: it lacks {', '.join(columns)}. Check the photos by `vpr "
            f"photos check PHOTOS{model}`, and build from that table, or leave these "
            "flags out."
        )


def _tell_unknown(flags: Iterable[str]) -> None:
    for flag in flags:
        print(f"No photo can be {flag}: nothing is known of what it is found by.")


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
    table = read_flags(source.path, nothing, source.reading) if source.is_csv else None
    if table is not None:
        _refuse_not_told(config.exclude, table, source.path)
        return
    _refuse_flags_of_descriptors(config.exclude, source)
    require_imagehash()


def _refuse_flags_of_descriptors(exclude: list[str], source: PhotoSource) -> None:
    unknown = [flag for flag in exclude if flag in _OF_DESCRIPTORS]
    if unknown:
        raise PhotoSourceError(
            f"`build.quality.exclude` names {', '.join(unknown)}, which is found by "
            "descriptors. Write a table by `vpr photos check "
            f"{source.path} --model MODEL`, and build from that table."
        )
