"""Photos of one camera localized by an index, each by its matches and by the others."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from vpr_tf.localization import (
    Localization,
    LocalizationError,
    MotionModel,
    PhotoSequence,
    PhotoTimes,
)
from vpr_tf.photos import clock_seconds
from vpr_tf.place_index.localizing import (
    LocalizationOptions,
    known_headings,
    known_timestamps,
    localize_descriptors,
)

if TYPE_CHECKING:
    from vpr_tf.place_index.index_reader import IndexReader


def localize_sequence(
    index: IndexReader,
    photos: Sequence[Any],
    times: Sequence[float | None] | None,
    seconds_between: float | None,
    motion: MotionModel,
    options: LocalizationOptions,
) -> list[Localization]:
    """See `PlaceIndex.localize_sequence`."""
    from vpr_tf.extraction.photo_sources import photo_list, photo_names

    photos = photo_list(photos)
    sequence = PhotoSequence(photo_times(photos, times, seconds_between), motion)
    state = index.state()
    descriptors = index.extractor(of_queries=True).extract(photos)
    config, _ = state.manifest.localization_settings
    uses_headings = config.heading_tolerance_deg is not None
    return localize_descriptors(
        state,
        descriptors,
        photo_names(photos),
        options,
        heading_deg=known_headings(photos) if uses_headings else None,
        cells=index.cell_filter(options.cells, photos),
        sequence=sequence,
    )


def photo_times(
    photos: Sequence[Any],
    times: Sequence[float | None] | None = None,
    seconds_between: float | None = None,
) -> PhotoTimes:
    """Returns when photos were taken.

    Args:
        photos: Paths, bytes and images.
        times: Seconds of any clock, None or NaN where unknown; None for what names or
            EXIF data of files say.
        seconds_between: Instead, the seconds from one to the next.

    Raises:
        LocalizationError: The times cannot be, or none is known.
    """
    if seconds_between is not None:
        if times is not None:
            raise LocalizationError(
                "`times` and `seconds_between` exclude each other. Received: both"
            )
        return PhotoTimes.evenly(len(photos), seconds_between)
    if times is None:
        return PhotoTimes.of_clock(*clock_seconds(known_timestamps(photos)))
    if len(times) != len(photos):
        raise LocalizationError(
            f"`times` must be as many as the photos, {len(photos)}. Received: "
            f"{len(times)}"
        )
    return PhotoTimes.of_clock([_seconds(one) for one in times], 0.0)


def _seconds(time: float | None) -> float:
    """Returns a time, NaN where it is unknown.

    Raises:
        LocalizationError: It is no number, such as a date.
    """
    if time is None:
        return math.nan
    # NumPy would take the days or the microseconds of its dates for seconds.
    if not isinstance(time, numbers.Real):
        raise LocalizationError(
            "`times` must be seconds of any clock, None where unknown; of a date its "
            f"`timestamp()`. Received: {str(time)[:80]!r}"
        )
    return float(time)
