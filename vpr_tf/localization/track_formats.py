"""The track of a sequence: which photos it joins, as lines of GeoJSON and as GPX."""

from __future__ import annotations

import datetime
import itertools
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

import numpy as np

from vpr_tf.geo import ecef
from vpr_tf.localization.errors import LocalizationError
from vpr_tf.localization.localization import OUTSIDE, WITHHELD, Localization
from vpr_tf.localization.track import PhotoSequence
from vpr_tf.printable import printable

_DECIMALS = 7  # of degrees: 1 cm
_HALF_TURN_DEG = 180.0
_NO_CHARACTERS = re.compile("[\ufffe\uffff]")
_GPX = "http://www.topografix.com/GPX/1/1"


@dataclass(frozen=True)
class Track:
    """Localizations of a sequence in the order of their times.

    Attributes:
        order: Numbers of the localizations.
        times: When each of that order was taken, ISO 8601: in UTC (ends with Z) where
            the camera's clock is known, else by that clock; empty where unknown.
        segments: Numbers of localized photos that one movement joins; a new segment
            begins after a photo outside and after a step that no speed explains.
    """

    order: list[int]
    times: list[str]
    segments: list[list[int]]

    @classmethod
    def of(
        cls,
        localizations: Sequence[Localization],
        sequence: PhotoSequence,
        utc_offset: datetime.timedelta | None = None,
    ) -> Track:
        """Joins the localizations of a sequence.

        Args:
            localizations: Of its photos, as they were given.
            sequence: When they were taken, and how the camera moves.
            utc_offset: By how much its clock is ahead of UTC; None where unknown.
        """
        order = sequence.times.order.tolist()
        clock = sequence.times.clock_seconds
        times = [_time_text(clock[number], utc_offset) for number in order]
        return cls(order, times, list(_segments(localizations, sequence)))

    def lines(
        self, localizations: Sequence[Localization]
    ) -> Iterator[list[tuple[float, float]]]:
        """Yields longitudes and latitudes of what is drawn as one line.

        None crosses the antimeridian, and each has two points or more.
        """
        for segment in self.segments:
            points = [
                (
                    round(one.longitude, _DECIMALS),
                    round(one.latitude, _DECIMALS),
                )
                for one in map(localizations.__getitem__, segment)
                if one.latitude is not None and one.longitude is not None
            ]
            crossed = [
                number
                for number, (here, there) in enumerate(itertools.pairwise(points), 1)
                if abs(there[0] - here[0]) > _HALF_TURN_DEG
            ]
            ends = [0, *crossed, len(points)]
            for start, end in itertools.pairwise(ends):
                if end - start > 1:
                    yield points[start:end]


def track_feature(
    track: Track, localizations: Sequence[Localization]
) -> dict[str, Any]:
    """Returns a track as a GeoJSON feature of lines, JSON-ready.

    Reference:
        RFC 7946.
    """
    lines = list(track.lines(localizations))
    geometry = {"type": "MultiLineString", "coordinates": lines} if lines else None
    properties = {
        "kind": "track",
        "photos": [localizations[number].photo for number in track.order],
        "times": track.times,
    }
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def gpx_of(
    track: Track, localizations: Sequence[Localization], notes: Sequence[str] = ()
) -> str:
    """Returns a track as GPX: the localized photos, a segment for each movement.

    Args:
        track: Of a sequence.
        localizations: Of its photos.
        notes: What to know of it, which becomes its description.

    Raises:
        LocalizationError: The positions are local coordinates.

    Reference:
        GPX 1.1, https://www.topografix.com/GPX/1/1/
    """
    time_of = dict(zip(track.order, track.times, strict=True))
    about = _xml(" ".join(notes))
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<gpx version="1.1" creator="vpr_tf" xmlns="{_GPX}">',
        *([f"  <metadata><desc>{about}</desc></metadata>"] if about else []),
        "  <trk>",
    ]
    for segment in track.segments:
        points = (_gpx_point(localizations[n], time_of[n]) for n in segment)
        lines += ["    <trkseg>", *points, "    </trkseg>"]
    return "\n".join([*lines, "  </trk>", "</gpx>"])


def _gpx_point(one: Localization, time: str) -> str:
    if one.latitude is None or one.longitude is None:
        raise LocalizationError(
            "GPX needs latitude and longitude. Received: local coordinates, of "
            f"{one.photo}. Write GeoJSON or JSON."
        )
    # A time of GPX is in UTC; that of a clock of unknown offset is none.
    at = f"<time>{time}</time>" if time.endswith("Z") else ""
    name = _xml(one.photo)
    sure = "" if one.confidence is None else f"<cmt>{one.confidence:.3f}</cmt>"
    where = f'lat="{one.latitude:.7f}" lon="{one.longitude:.7f}"'
    return f"      <trkpt {where}>{at}<name>{name}</name>{sure}</trkpt>"


def _xml(text: str) -> str:
    """Returns a text of others; XML may hold neither controls nor these two."""
    return escape(_NO_CHARACTERS.sub("\N{REPLACEMENT CHARACTER}", printable(text)))


def _time_text(seconds: float, utc_offset: datetime.timedelta | None) -> str:
    if math.isnan(seconds):
        return ""
    time = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=seconds)
    if utc_offset is None:
        return time.isoformat(timespec="seconds")
    return f"{(time - utc_offset).isoformat(timespec='seconds')}Z"


def _segments(
    localizations: Sequence[Localization], sequence: PhotoSequence
) -> Iterator[list[int]]:
    """Yields the numbers of the photos of each segment."""
    segment: list[int] = []
    seconds = 0.0
    order = sequence.times.order.tolist()
    # No photo, as where none could be read, has no first step either.
    steps = [0.0, *sequence.times.seconds_between.tolist()][: len(order)]
    for number, step in zip(order, steps, strict=True):
        seconds += step
        one = localizations[number]
        if one.status == WITHHELD:
            continue
        last = localizations[segment[-1]] if segment else one
        if segment and not _joined(last, one, seconds, sequence):
            yield segment
            segment = []
        if one.is_localized:
            segment.append(number)
            seconds = 0.0
    if segment:
        yield segment


def _joined(
    here: Localization, there: Localization, seconds: float, sequence: PhotoSequence
) -> bool:
    """Returns whether the camera can have gone from one place to the other."""
    if there.status == OUTSIDE:
        return False
    apart_m = np.linalg.norm(np.subtract(_point(here), _point(there)))
    motion = sequence.motion
    return bool(apart_m <= motion.reach_m(seconds) + motion.tail_m)


def _point(one: Localization) -> list[float]:
    if one.latitude is None or one.longitude is None:
        return [one.utm_east or 0.0, one.utm_north or 0.0, 0.0]
    degrees = np.array([one.latitude]), np.array([one.longitude])
    return ecef.from_lat_lon(*degrees)[0].tolist()
