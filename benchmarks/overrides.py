"""Overrides of configs on the command lines of benchmarks."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence

_OVERRIDE = re.compile(r"[A-Za-z_][\w.]*=")  # a path with "=" has a "/" before it


def parse_with_overrides(
    parser: argparse.ArgumentParser, arguments: Sequence[str] | None
) -> argparse.Namespace:
    """Parses a command line in which overrides, `dotted.key=value`, stand anywhere.

    Without this an option that takes any number of values would take those behind it.

    Args:
        parser: Gets `overrides`; all else it has already.
        arguments: Words after the program; None for those of the process.
    """
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    words = sys.argv[1:] if arguments is None else list(arguments)
    others = [word for word in words if not _OVERRIDE.match(word)]
    options = parser.parse_intermixed_args(others)
    told = [word for word in words if _OVERRIDE.match(word)]
    options.overrides = [*told, *options.overrides]
    return options
