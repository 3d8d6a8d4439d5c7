"""The option `--within LAT,LON,RADIUS_M`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from vpr_tf.place_index import GeoCircle


def add_within(parser: argparse.ArgumentParser, purpose: str) -> None:
    """Adds the option to a command."""
    parser.add_argument(
        "--within",
        type=_parse_within,
        metavar="LAT,LON,RADIUS_M",
        help=f"{purpose}, e.g. 37.7749,-122.4194,500",
    )


def with_joined_circle(arguments: Sequence[str]) -> list[str]:
    """Joins `--within` and a southern latitude, which argparse takes for an option."""
    joined: list[str] = []
    for argument in arguments:
        if joined and joined[-1] == "--within" and argument.startswith("-"):
            joined[-1] += f"={argument}"
        else:
            joined.append(argument)
    return joined


def _parse_within(text: str) -> GeoCircle:
    try:
        return GeoCircle(*map(float, text.split(",")))
    except (TypeError, ValueError) as error:
        raise argparse.ArgumentTypeError(
            "must be latitude, longitude and metres with commas between, such as "
            f"37.7749,-122.4194,500. Received: {text!r} ({error})"
        ) from error
