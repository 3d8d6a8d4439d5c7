"""In which order photos were taken, and how far apart in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vpr_tf.localization.errors import LocalizationError

_MOST_SECONDS = 1e9  # 30 years


@dataclass(frozen=True, eq=False)
class PhotoTimes:
    """When the photos of a sequence were taken.

    Attributes:
        order: Rows of the photos in the order of their times, int64 `(num_photos,)`.
        seconds_between: At most so long after a photo of that order the next was
            taken, inf where that is unknown, `(num_photos - 1,)`.
        clock_seconds: Seconds since 1970 of the camera's clock, of the photos as they
            were given; NaN where unknown.
    """

    order: np.ndarray
    seconds_between: np.ndarray
    clock_seconds: np.ndarray

    @classmethod
    def of_clock(
        cls, seconds: Sequence[float] | np.ndarray, resolution_s: np.ndarray | float
    ) -> PhotoTimes:
        """Orders photos by their times; equal ones stay as they are.

        A photo without a time stays behind the one before it, and was taken between
        the times around it.

        Args:
            seconds: When each was taken, NaN where unknown.
            resolution_s: Each was taken at that time or less than this after it.

        Raises:
            LocalizationError: No time is known of several photos, or one is infinite.
        """
        clock = np.asarray(seconds, np.float64)
        if np.isinf(clock).any():
            raise LocalizationError(
                "Times must be seconds, or NaN where unknown. Received: "
                f"{clock[np.isinf(clock)][0]}"
            )
        known = np.isfinite(clock)
        if len(clock) > 1 and not known.any():
            raise LocalizationError(
                f"The {len(clock):,} photos of a sequence must say when they were "
                "taken, to the minute, in their EXIF data or names. Received: no time. "
                "Give the seconds from one to the next, in the order of the photos: "
                "`--seconds-between` (in Python `seconds_between`)."
            )
        followed = np.maximum.accumulate(np.where(known, np.arange(len(clock)), -1))
        place = np.where(followed >= 0, clock[np.maximum(followed, 0)], -np.inf)
        order = np.argsort(place, kind="stable")
        earliest = place[order]
        ends = np.where(known, clock + resolution_s, np.inf)[order]
        latest = np.minimum.accumulate(ends[::-1])[::-1]
        return cls(order, np.maximum(latest[1:] - earliest[:-1], 0.0), clock)

    @classmethod
    def evenly(
        cls,
        num_photos: int,
        seconds_between: float,
        numbers: Sequence[int] | None = None,
    ) -> PhotoTimes:
        """Returns times of photos that were taken in order, one after the other.

        Args:
            num_photos: How many.
            seconds_between: From each that was taken to the next.
            numbers: Of the photos among all that were taken, ascending: where one
                cannot be read, more time passes. None if these are all.

        Raises:
            LocalizationError: The seconds cannot be.
        """
        if not 0 <= seconds_between <= _MOST_SECONDS:
            raise LocalizationError(
                "`seconds_between` must be seconds, 0 or more and at most "
                f"{_MOST_SECONDS:,.0f}. Received: {seconds_between}"
            )
        order = np.arange(num_photos)
        steps = np.diff(order if numbers is None else numbers) * float(seconds_between)
        return cls(order, steps, np.full(num_photos, np.nan))

    def __len__(self) -> int:
        return len(self.order)
