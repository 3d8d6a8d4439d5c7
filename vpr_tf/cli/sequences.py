"""What `vpr localize --sequence` knows of its photos."""

from __future__ import annotations

import argparse
import datetime
import itertools
import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from vpr_tf.localization import (
    Localization,
    MotionModel,
    PhotoSequence,
    PhotoTimes,
    Track,
)
from vpr_tf.photos import PhotoFiles, clock_seconds, named_numbers

_LOG = logging.getLogger("vpr_tf")
_MOST_DIGITS = 20


@dataclass(frozen=True)
class SequenceOptions:
    """How photos of one camera are localized.

    Attributes:
        motion: How the camera moves.
        seconds_between: From each photo to the next; None for the times of the photos.
        utc_offset: By how much the camera's clock is ahead of UTC; None where unknown.
    """

    motion: MotionModel
    seconds_between: float | None = None
    utc_offset: datetime.timedelta | None = None

    @classmethod
    def of(cls, options: argparse.Namespace) -> SequenceOptions:
        """Reads what `add_sequence` added."""
        motion = MotionModel()
        if options.max_speed_kmh is not None:
            motion = MotionModel(options.max_speed_kmh)
        return cls(motion, options.seconds_between, options.utc_offset)

    def warn_of_names(self, names: Sequence[str]) -> None:
        """Warns of an order by names that is not that of the numbers in them."""
        if self.seconds_between is None:
            return
        for name, following in itertools.pairwise(names):
            if name <= following and _with_zeros(name) > _with_zeros(following):
                _LOG.warning(
                    "%s is taken to be before %s, as in the order of the names. If "
                    "the numbers count, write them with the same number of digits.",
                    name,
                    following,
                )
                return

    def of_photos(self, named: Sequence[str], files: PhotoFiles) -> PhotoSequence:
        """Returns when photos were taken.

        Args:
            named: Files and folders that were named.
            files: What was found of them.

        Raises:
            LocalizationError: None says it.
        """
        if self.seconds_between is not None:
            times = PhotoTimes.evenly(
                len(files), self.seconds_between, named_numbers(named, files)
            )
        else:
            times = PhotoTimes.of_clock(*clock_seconds(files.photos.timestamps))
        return PhotoSequence(times, self.motion)


def _with_zeros(name: str) -> str:
    return re.sub(r"\d+", lambda found: found[0].zfill(_MOST_DIGITS), name)


def track_notes(
    track: Track | None,
    found: Sequence[Localization],
    sequence: PhotoSequence | None,
) -> Iterator[str]:
    """Yields what to know of a track, for people; nothing without one."""
    if track is None or sequence is None:
        return
    joined, parts = sum(map(len, track.segments)), len(track.segments)
    yield (
        f"Track: {joined:,} of {len(found):,} photos, in {parts:,} "
        f"{'segment' if parts == 1 else 'segments'}, at most "
        f"{sequence.motion.max_speed_kmh:g} km/h."
    )
    missing = sum(not time for time in track.times)
    if missing and missing < len(found):
        yield (
            f"{missing:,} photos do not say when they were taken: each is put behind "
            "the photo before it."
        )
