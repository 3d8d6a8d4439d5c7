"""Times of photos as numbers."""

from __future__ import annotations

import numpy as np

_DIGITS = (0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14)  # of YYYYMMDD_hhmmss
_TO_MINUTES, _TO_SECONDS = 13, 15  # characters


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
