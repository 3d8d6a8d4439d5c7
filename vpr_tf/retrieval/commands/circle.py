"""The option `--within LAT,LON,RADIUS_M`."""

from __future__ import annotations

import argparse

from vpr_tf.retrieval.place_index import Within


def add_within(parser: argparse.ArgumentParser, purpose: str) -> None:
    """Adds the option to a command."""
    parser.add_argument(
        "--within",
        type=_parse_within,
        metavar="LAT,LON,RADIUS_M",
        help=f"{purpose}, e.g. 37.7749,-122.4194,500",
    )


def _parse_within(text: str) -> Within:
    try:
        return Within(*map(float, text.split(",")))
    except (TypeError, ValueError) as error:
        raise argparse.ArgumentTypeError(
            "must be latitude, longitude and metres with commas between, such as "
            f"37.7749,-122.4194,500. Received: {text!r} ({error})"
        ) from error
