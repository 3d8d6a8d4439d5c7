"""Removes photos from an index; the next query does not find them.

Conditions are combined: with both --older-than and --within, a photo must meet both.
Photos of unknown time are not older than anything.

Examples:
  vpr index remove --index city.index --keys a/1.jpg a/2.jpg
  vpr index remove --index city.index --older-than 2019 --dry-run
  vpr index remove --index city.index --within 37.7749,-122.4194,50
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from vpr_tf.cli.main import Outcome
from vpr_tf.cli.options import add_index, add_json, add_within
from vpr_tf.cli.output import change_outcome
from vpr_tf.cli.words import told_to_user
from vpr_tf.photos import PhotoTable, parse_timestamp
from vpr_tf.place_index import PlaceIndex
from vpr_tf.printable import printable
from vpr_tf.search import RetrievalError

_PRINTED_KEYS = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    add_index(parser)
    parser.add_argument("--keys", nargs="+", default=[], help="of photos to remove")
    parser.add_argument(
        "--keys-file", metavar="FILE", help="a key a line; - reads standard input"
    )
    parser.add_argument(
        "--older-than",
        type=_parse_time,
        metavar="TIME",
        help="photos taken before, as 2019, 201906 or 2019-06-30",
    )
    add_within(parser, "photos inside this circle")
    parser.add_argument(
        "--dry-run", action="store_true", help="show what would be removed"
    )
    add_json(parser)


def run(options: argparse.Namespace) -> Outcome:
    """Removes photos."""
    # Behind -- a word is read as a path: ./-1.jpg is the photo -1.jpg.
    named = [k.removeprefix("./") if k.startswith("./-") else k for k in options.keys]
    keys = [*named, *_read_keys(options.keys_file)]
    by_condition = options.older_than is not None or options.within is not None
    if bool(keys) == by_condition:
        raise RetrievalError(
            "Pass what to remove: either --keys or --keys-file, or --older-than or "
            "--within or both."
        )
    with PlaceIndex.open(options.index) as index:
        if by_condition:
            keys = index.select(older_than=options.older_than, within=options.within)
        if not keys:
            text = f"No photo of {options.index} meets the conditions."
            return Outcome({"keys": []}, f"{text} Nothing was removed.")
        num_photos = index.num_photos
        _check_known(options.index, index.photos, keys)
        listing = _listing(keys, num_photos)
        if options.dry_run:
            return Outcome({"keys": keys}, listing)
        after = index.remove(keys)
    num_removed = num_photos - after.num_photos
    return change_outcome(after, f"{listing}\nRemoved: {num_removed:,} photos")


@told_to_user
def _parse_time(text: str) -> bytes:
    time = parse_timestamp(text)
    if not time:
        raise ValueError("must be a time such as 2019 or 2019-06-30")
    return time.encode()


def _read_keys(file: str | None) -> list[str]:
    if file is None:
        return []
    text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line]


def _check_known(index: str, photos: PhotoTable, keys: list[str]) -> None:
    names = np.array([key.encode() for key in keys])
    unknown = names[~np.isin(names, photos.keys)]
    if len(unknown):
        raise RetrievalError(
            f"The index {index} has no photos of {len(unknown)} of these keys, the "
            f"first is {printable(unknown[0])}. Nothing was removed."
        )


def _listing(keys: list[str], num_photos: int) -> str:
    lines = [f"{len(keys):,} of {num_photos:,} photos:"]
    lines += [f"  {printable(key)}" for key in keys[:_PRINTED_KEYS]]
    if len(keys) > _PRINTED_KEYS:
        lines.append("  ...")
    return "\n".join(lines)
