"""Keeps what converters tell of their own making off the screen."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import absl.logging


@contextlib.contextmanager
def messages_hidden() -> Iterator[None]:
    """Hides what converters, in C++ and Python, write to standard error."""
    verbosity = absl.logging.get_verbosity()
    absl.logging.set_verbosity(absl.logging.ERROR)
    sys.stderr.flush()
    stderr = os.dup(2)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        absl.logging.set_verbosity(verbosity)
