"""Silence for what libraries in C++ tell of their own making."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import absl.logging

# The standard error is that of the process: two threads that swap it would restore it
# in the wrong order.
_LOCK = threading.RLock()


@contextlib.contextmanager
def hidden_messages() -> Iterator[None]:
    """Hides what is written to the standard error, by Python or not.

    One thread at a time; what others write meanwhile is hidden, too.
    """
    with _LOCK:
        try:
            stderr = os.dup(2)
        except OSError:  # it is closed, so that nothing is shown
            yield
            return
        verbosity = absl.logging.get_verbosity()
        try:
            absl.logging.set_verbosity(absl.logging.ERROR)
            if sys.stderr:
                sys.stderr.flush()
            with Path(os.devnull).open("w") as nowhere:
                os.dup2(nowhere.fileno(), 2)
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            absl.logging.set_verbosity(verbosity)
