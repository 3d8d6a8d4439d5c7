"""The option `--max-rejected-fraction`, and photos that are too few."""

from __future__ import annotations

import argparse

from vpr_tf.photos import PhotoFiles, PhotoSourceError, check_rejected_fraction

_DEFAULT_FRACTION = 0.1


def add_max_rejected(parser: argparse.ArgumentParser) -> None:
    """Adds the option to a command."""
    parser.add_argument(
        "--max-rejected-fraction",
        type=float,
        default=_DEFAULT_FRACTION,
        metavar="SHARE",
        help="stops when more of the photos cannot be used; default: 0.1",
    )


def check_usable(photos: PhotoFiles, largest_fraction: float, source: object) -> None:
    """Stops what would go on with too few of the photos.

    Raises:
        PhotoSourceError: None can be used, or fewer than wanted.
    """
    check_rejected_fraction(photos, len(photos.rejected), largest_fraction, source)
    if not len(photos):
        raise PhotoSourceError(f"No photo of {source} can be described.")
