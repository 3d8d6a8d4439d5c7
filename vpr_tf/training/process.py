"""The process that trains: versions and devices, log, Ctrl-C and SIGTERM."""

from __future__ import annotations

import contextlib
import logging
import os
import platform
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

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


class StopSignal:
    """Remembers a signal until the training loop asks for it.

    Attributes:
        number: The signal, None while none came.
        raises: Whether a signal raises KeyboardInterrupt at once.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self.raises = False

    def __call__(self) -> bool:
        """Whether a signal came."""
        return self.number is not None

    @property
    def exit_status(self) -> int:
        """What a shell expects of a program that ended by the signal."""
        return 128 + (self.number or signal.SIGTERM)

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Signal handler; a second signal stops at once, without saving."""
        is_second = self.number is not None
        self.number = number
        if is_second or self.raises:
            raise KeyboardInterrupt

    @contextlib.contextmanager
    def raising(self, enabled: bool = True) -> Iterator[None]:
        """Lets a signal interrupt long work after which nothing need be saved."""
        self.raises = enabled
        try:
            yield
        finally:
            self.raises = False


@contextlib.contextmanager
def stop_on_signals() -> Iterator[StopSignal]:
    """Catches SIGINT and SIGTERM while inside; only in the main thread."""
    stop = StopSignal()
    numbers = (signal.SIGINT, signal.SIGTERM)
    try:
        before = {number: signal.signal(number, stop.handle) for number in numbers}
    except ValueError:  # another thread: the caller handles signals itself
        yield stop
        return
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
