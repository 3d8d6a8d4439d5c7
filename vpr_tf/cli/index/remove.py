"""Removes photos from an index; the next query does not find them.

Conditions are combined: with both --older-than and --within, a photo must meet both.
Photos of unknown time are not older than anything.

Examples:
  python -m vpr_tf.place_index remove city.index --keys a/1.jpg a/2.jpg
  python -m vpr_tf.place_index remove city.index --older-than 2019 --dry-run
  python -m vpr_tf.place_index remove city.index --within 37.7749,-122.4194,50
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from vpr_tf.cli.index.circle import add_within
from vpr_tf.cli.index.output import print_change
from vpr_tf.photos.errors import InvalidEntryError
from vpr_tf.photos.metadata import parse_timestamp
from vpr_tf.photos.photo_table import PhotoTable
from vpr_tf.place_index import PlaceIndex
from vpr_tf.search import RetrievalError

_PRINTED_KEYS = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.add_argument("index", help="folder of the index")
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
        "--dry-run", action="store_true", help="tell what would be removed"
    )


def run(options: argparse.Namespace) -> int:
    """Removes photos; returns the exit status."""
    keys = [*map(str, options.keys), *_read_keys(options.keys_file)]
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
            print(
                f"No photo of {options.index} meets the conditions. Nothing was "
                "removed."
            )
            return 0
        num_photos = index.num_photos
        _check_known(options.index, index.photos, keys)
        _print_keys(keys, num_photos)
        if options.dry_run:
            return 0
        after = index.remove(keys)
    print(f"Removed: {num_photos - after.num_photos:,} photos")
    print_change(after)
    return 0


def _parse_time(text: str) -> bytes:
    try:
        time = parse_timestamp(text.replace("-", ""))
    except InvalidEntryError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    if not time:
        raise argparse.ArgumentTypeError("must be a time such as 2019 or 2019-06-30")
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
            f"first is {unknown[0].decode()}. Nothing was removed."
        )


def _print_keys(keys: list[str], num_photos: int) -> None:
    print(f"{len(keys):,} of {num_photos:,} photos:")
    for key in keys[:_PRINTED_KEYS]:
        print(f"  {key}")
    if len(keys) > _PRINTED_KEYS:
        print("  ...")
