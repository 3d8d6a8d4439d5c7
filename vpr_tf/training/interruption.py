"""Ctrl-C and SIGTERM: finish the step, save, then stop."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType


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
