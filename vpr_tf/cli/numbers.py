"""Numbers of command lines: each is read within what it can be."""

from __future__ import annotations

import argparse
import math

from vpr_tf.config.rules import LARGEST_SEED, MOST_WORKERS


def positive(text: str) -> int:
    """Reads a whole number of 1 or more."""
    if not (text.isdecimal() and len(text) < 20 and int(text) >= 1):
        raise argparse.ArgumentTypeError(
            f"must be a whole number of 1 or more. Received: {text[:40]!r}"
        )
    return int(text)


def seed(text: str) -> int:
    """Reads a seed, as NumPy takes it."""
    return whole(text, 0, LARGEST_SEED)


def workers(text: str) -> int:
    """Reads a number of processes."""
    return whole(text, 1, MOST_WORKERS)


def whole(text: str, least: int, most: int) -> int:
    """Reads a whole number of a range."""
    # Python refuses to read numbers of thousands of digits.
    if not (text.isdecimal() and len(text) < 20 and least <= int(text) <= most):
        raise argparse.ArgumentTypeError(
            f"must be a whole number of {least} to {most:,}. Received: {text[:40]!r}"
        )
    return int(text)


def share(text: str) -> float:
    """Reads a share, 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"must be 0 to 1. Received: {text!r}")
    return value


def seconds(text: str) -> float:
    """Reads a time in seconds."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(
            f"must be seconds, 0 or more. Received: {text!r}"
        )
    return value
