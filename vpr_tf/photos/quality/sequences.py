"""Sequences of photos: what one camera took on one drive."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vpr_tf.photos.photo_table import PhotoTable

_DIGITS = (0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14)  # of YYYYMMDD_hhmmss
_TO_MINUTES, _TO_SECONDS = 13, 15  # characters


@dataclass(frozen=True, eq=False)
class Sequence:
    """Photos of one folder in the order of their times.

    Attributes:
        rows: Of the table.
        seconds: When each was taken, float64, from any start; NaN where the time of
            day is unknown to the minute. Photos without come first, by their names.
        resolution_s: How exact the times are: 1 or 60.
    """

    rows: np.ndarray
    seconds: np.ndarray
    resolution_s: np.ndarray


def sequences_of(photos: PhotoTable) -> list[Sequence]:
    """Divides photos into sequences: each folder is one.

    Mapping programs and car cameras write a drive into a folder. Whether the photos of
    a folder are one drive is for a rule to see.
    """
    seconds, resolution_s = clock_seconds(photos.timestamps)
    folders = np.array([key.rpartition(b"/")[0] for key in photos.keys.tolist()])
    _, folder_of = np.unique(folders, return_inverse=True)
    order = np.lexsort((photos.keys, np.nan_to_num(seconds, nan=-1.0), folder_of))
    ends = np.flatnonzero(np.diff(folder_of[order])) + 1
    return [
        Sequence(rows, seconds[rows], resolution_s[rows])
        for rows in np.split(order, ends)
        if len(rows)
    ]


def clock_seconds(timestamps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns when photos were taken, and how exactly that is known.

    Args:
        timestamps: `YYYY[MM[DD[_hh[mm[ss]]]]]`, bytes.

    Returns:
        Seconds since 1970 of the camera's clock, float64, NaN where the minute is
        unknown; and 1.0 or 60.0, the seconds within which it is known.
    """
    lengths = np.char.str_len(timestamps)
    known = lengths >= _TO_MINUTES
    text = timestamps[known].astype("S15")
    characters = np.frombuffer(text.tobytes(), np.uint8).reshape(-1, 15)
    digits = np.where(characters == 0, ord("0"), characters)[:, _DIGITS] - ord("0")
    year, month, day, hour, minute, second = (
        digits[:, part] @ 10 ** np.arange(part.stop - part.start)[::-1]
        for part in map(slice, (0, 4, 6, 8, 10, 12), (4, 6, 8, 10, 12, 14))
    )
    months = (year - 1970).astype("timedelta64[Y]").astype("timedelta64[M]")
    months += (month - 1).astype("timedelta64[M]")
    first = np.datetime64("1970-01", "M") + months
    days = first.astype("datetime64[D]").astype(np.int64) + day - 1
    seconds = np.full(len(timestamps), np.nan)
    seconds[known] = ((days * 24 + hour) * 60 + minute) * 60 + second
    return seconds, np.where(lengths >= _TO_SECONDS, 1.0, 60.0)
