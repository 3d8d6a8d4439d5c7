"""Options of photos that one camera took one after the other."""

from __future__ import annotations

import argparse
import datetime
import math
import re

from vpr_tf.cli.main import UsageError
from vpr_tf.cli.numbers import seconds
from vpr_tf.cli.rerank_options import RERANK_OPTIONS

_OF_SEQUENCES = ("seconds_between", "max_speed_kmh", "utc_offset", "gpx")
_OFFSET = re.compile(r"([+-]?)(\d{1,2})(?::?([0-5]\d))?")
_LARGEST_OFFSET = datetime.timedelta(hours=14)


def add_sequence(parser: argparse.ArgumentParser) -> None:
    """Adds `--sequence` and what it needs."""
    group = parser.add_argument_group("photos of one camera, one after the other")
    group.add_argument(
        "--sequence",
        action="store_true",
        help="localize each by the others too, in the order of their times",
    )
    group.add_argument(
        "--seconds-between",
        type=seconds,
        metavar="S",
        help="from each photo to the next, instead of the times in EXIF data or names",
    )
    group.add_argument(
        "--max-speed-kmh",
        type=_speed,
        metavar="V",
        help="the camera hardly moves faster (default: 60)",
    )
    group.add_argument(
        "--utc-offset",
        type=_utc_offset,
        metavar="HH:MM",
        help="of the camera's clock, as in --utc-offset=-07:00, for times in UTC",
    )
    group.add_argument("--gpx", action="store_true", help="print the track as GPX")


def check_sequence(options: argparse.Namespace) -> None:
    """Refuses options that do not belong together."""
    if options.sequence:
        if options.classifier:
            raise UsageError(
                "--sequence weighs the photos of an index: pass --index DIR. Received: "
                "--classifier"
            )
        for name in RERANK_OPTIONS:
            if getattr(options, name) not in (None, "never"):
                raise UsageError(
                    "Photos of a sequence are not re-ranked: leave out --sequence or "
                    f"--{name.replace('_', '-')}."
                )
        if options.utc_offset is not None:
            _check_offset(options)
        for other in ("json", "geojson"):
            if options.gpx and getattr(options, other):
                raise UsageError(f"--gpx and --{other} exclude each other.")
        return
    for name in _OF_SEQUENCES:
        if getattr(options, name) not in (None, False):
            word = name.replace("_", "-")
            raise UsageError(f"--{word} is of a sequence: pass --sequence as well.")


def _check_offset(options: argparse.Namespace) -> None:
    """Refuses an offset that no time is told with."""
    if options.seconds_between is not None:
        raise UsageError(
            "--utc-offset is of the times that photos say, and --seconds-between takes "
            "their place: pass one of them."
        )
    if not (options.json or options.geojson or options.gpx):
        raise UsageError(
            "--utc-offset is of the times of the track, which the table does not have: "
            "pass --gpx, --geojson or --json as well."
        )


def _speed(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= 1000:
        raise argparse.ArgumentTypeError(
            f"must be km/h, above 0 and at most 1,000. Received: {text[:40]!r}"
        )
    return value


def _utc_offset(text: str) -> datetime.timedelta:
    match = _OFFSET.fullmatch(text)
    offset = datetime.timedelta.max
    if match:
        sign, hours, minutes = match.groups()
        offset = datetime.timedelta(hours=int(hours), minutes=int(minutes or 0))
    if offset > _LARGEST_OFFSET:
        raise argparse.ArgumentTypeError(
            "must be hours and minutes ahead of UTC, as 02:00 or -07:00, at most 14. "
            f"Received: {text[:40]!r}"
        )
    return -offset if sign == "-" else offset
