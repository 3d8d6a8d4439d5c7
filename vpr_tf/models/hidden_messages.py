"""Silence for what libraries in C++ tell of their own making."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import absl.logging


@contextlib.contextmanager
def hidden_messages() -> Iterator[None]:
    """Hides what is written to the standard error, by Python or not."""
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
