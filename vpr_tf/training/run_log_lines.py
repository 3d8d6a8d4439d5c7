"""Prints what another machine writes into the log of a run, as it is written."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable, Iterator

from vpr_tf.training.run_folder import RunFolder

_LOOK_EVERY_S = 0.5
_START = re.compile(
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (?P<level>[A-Z]+) ", re.ASCII
)


@contextlib.contextmanager
def printed_log(
    run: RunFolder | None, find_run: Callable[[], RunFolder | None]
) -> Iterator[None]:
    """Prints the new messages of a run's log while inside.

    Args:
        run: The run, if there is one already; what its log holds is not printed.
        find_run: Finds a run that is begun inside.
    """
    size = run.log_file.stat().st_size if run and run.log_file.is_file() else 0
    printer = _Printer(size, (lambda: run) if run else find_run)
    end = threading.Event()

    def follow() -> None:
        while not end.wait(_LOOK_EVERY_S):
            printer.print_new()

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()
        printer.print_new()


class _Printer:
    """Prints the messages of a log from a place on."""

    def __init__(self, offset: int, find_run: Callable[[], RunFolder | None]) -> None:
        self._offset, self._find_run = offset, find_run
        self._is_shown = False

    def print_new(self) -> None:
        """Prints what was written since, without times and debug messages."""
        run = self._find_run()
        if run is None or not run.log_file.is_file():
            return
        with run.log_file.open("rb") as file:
            file.seek(self._offset)
            content = file.read()
        whole = content[: content.rfind(b"\n") + 1]
        self._offset += len(whole)
        for line in whole.decode("utf-8", "replace").splitlines():
            start = _START.match(line)
            if start is not None:
                self._is_shown = start["level"] != "DEBUG"
                line = line[start.end() :]
            if self._is_shown:
                print(line, flush=True)
