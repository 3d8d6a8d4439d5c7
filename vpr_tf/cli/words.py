"""How the words of a command line are read."""

from __future__ import annotations

import argparse
import functools
from collections.abc import Callable
from typing import TypeVar

_Value = TypeVar("_Value")


def told_to_user(read: Callable[[str], _Value]) -> Callable[[str], _Value]:
    """Makes what is wrong with a word, a `ValueError`, the message of the command.

    argparse would say "invalid value" instead.

    Example:
        >>> @told_to_user
        ... def even(text: str) -> int:
        ...     if int(text) % 2:
        ...         raise ValueError(f"must be even. Received: {text}")
        ...     return int(text)
        >>> even("4")
        4
    """

    @functools.wraps(read)
    def reader(text: str) -> _Value:
        try:
            return read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return reader
