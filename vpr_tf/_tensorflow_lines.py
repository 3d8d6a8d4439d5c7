"""Keeps what TensorFlow tells of itself off the screen.

It would bury what a command prints. What goes wrong is raised all the same, and the
last words of a crash are printed. `TF_CPP_MIN_LOG_LEVEL=0` shows everything.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
from pathlib import Path

from vpr_tf._after_import import after_import

_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
# absl::SetMinLogLevel, as the libraries of TensorFlow 2.20 export it. TensorFlow has no
# way of its own to quieten `I0000 ...` lines: its level holds for its older log only.
_SET_ABSL_LEVEL = "_ZN4absl12lts_2025012714SetMinLogLevelENS0_18LogSeverityAtLeastE"
_ABSL_ERROR = 2


def hide_tensorflow_lines() -> None:
    """Lets TensorFlow, once it is imported, tell errors only.

    Whoever has set a level keeps it.
    """
    os.environ.setdefault(_LEVEL, "3")  # read when TensorFlow is imported
    after_import("tensorflow", _set_absl_level)


def hide_tensorflow_warnings() -> None:
    """Lets also the Python part of TensorFlow tell errors only: for programs."""
    after_import("tensorflow", _set_python_level)


def _set_python_level() -> None:
    for name in ("tensorflow", "absl"):
        logging.getLogger(name).setLevel(logging.ERROR)


def _set_absl_level() -> None:
    import tensorflow as tf

    level = os.environ.get(_LEVEL, "")
    library = Path(tf.__file__).with_name("libtensorflow_framework.so.2")
    with contextlib.suppress(OSError, AttributeError):  # of another version: it talks
        set_level = getattr(ctypes.CDLL(str(library)), _SET_ABSL_LEVEL)
        set_level.argtypes, set_level.restype = [ctypes.c_int], None
        set_level(min(int(level) if level.isdecimal() else 0, _ABSL_ERROR))
