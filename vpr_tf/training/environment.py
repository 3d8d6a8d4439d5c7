"""The process that trains: versions, devices, seeds, log."""

from __future__ import annotations

import contextlib
import logging
import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path

import keras
import tensorflow as tf

_LOGGER = "vpr_tf"


def environment_line() -> str:
    """Describes versions and devices in one line."""
    gpus = tf.config.list_physical_devices("GPU")
    names = [
        tf.config.experimental.get_device_details(gpu).get("device_name", "GPU")
        for gpu in gpus
    ]
    devices = ", ".join(names) or f"no GPU, {os.cpu_count()} CPU cores"
    return (
        f"Python {platform.python_version()}, TensorFlow {tf.__version__}, "
        f"Keras {keras.__version__}, {devices}"
    )


@contextlib.contextmanager
def run_log(file: Path | None) -> Iterator[None]:
    """Prints the program's messages and, with times, writes them to a file.

    Args:
        file: Log file to append to; None on workers that write nothing, which print
            warnings only.
    """
    logger = logging.getLogger(_LOGGER)
    before = logger.level, logger.propagate
    console = logging.StreamHandler(sys.stdout)
    console.setFormatter(logging.Formatter("%(message)s"))
    console.setLevel(logging.INFO if file else logging.WARNING)
    handlers: list[logging.Handler] = [console]
    if file is not None:
        to_file = logging.FileHandler(file)
        to_file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        handlers.append(to_file)
    for handler in handlers:
        logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    try:
        yield
    finally:
        for handler in handlers:
            logger.removeHandler(handler)
            handler.close()
        logger.level, logger.propagate = before


def quiet_libraries() -> None:
    """Keeps informational messages of TensorFlow and Abseil off the screen."""
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    logging.getLogger("absl").setLevel(logging.ERROR)
