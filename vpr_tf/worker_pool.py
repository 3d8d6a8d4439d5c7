"""Worker processes that end with the process that started them, however it ends."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

_Result = TypeVar("_Result")
_PARENT_DEATH_SIGNAL = 1  # of prctl(2)
_TASKS_AHEAD = 3  # for each worker, so that none waits


class WorkerError(RuntimeError):
    """A worker process died."""


class WorkerPool:
    """Runs functions in other processes and returns their results in order.

    A worker holds one end of a pipe: when its parent is killed, the pipe closes and the
    worker ends too, so that a second run finds no one writing. Forking happens in a
    fresh process, so that TensorFlow in the caller does no harm.

    Args:
        workers: Number of processes.
        setting: What the user sets their number by, such as `build.workers`.
        preload: Modules of the functions, so that they are imported once.
    """

    def __init__(self, workers: int, setting: str, preload: Sequence[str] = ()) -> None:
        self._workers, self._setting = workers, setting
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(list(preload))
        lifeline, self._lifeline = context.Pipe(duplex=False)
        self._executor = ProcessPoolExecutor(
            workers, context, initializer=start_worker, initargs=(lifeline,)
        )

    def map_in_order(
        self,
        function: Callable[..., _Result],
        tasks: Iterable[tuple[Any, ...]],
        sees: Sequence[Path] = (),
    ) -> Iterator[_Result]:
        """Yields `function(*task)` for every task, in the order of the tasks.

        Only a few tasks are taken ahead, so the tasks may be endless.

        Args:
            function: Of a module.
            tasks: Its arguments.
            sees: Of no use here; see `vpr_tf.cluster.Workers`.

        Raises:
            WorkerError: A worker died, most likely for lack of memory.
        """
        pending: deque[Future[_Result]] = deque()
        try:
            for task in tasks:
                pending.append(self._executor.submit(function, *task))
                if len(pending) > self._workers * _TASKS_AHEAD:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        except BrokenProcessPool as error:
            raise WorkerError(
                "A worker process was killed, most likely for lack of memory. Run the "
                "same command again to continue, with fewer workers "
                f"({self._setting}=1)."
            ) from error
        finally:
            for future in pending:
                future.cancel()

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self._lifeline.close()  # running tasks end at once
        self._executor.shutdown(wait=True, cancel_futures=True)
        self._lifeline.close()


def start_worker(lifeline: Connection) -> None:
    """Leaves Ctrl-C to the parent and ends with it; runs first in a worker process.

    Args:
        lifeline: Closes when the parent ends, however it ends; nothing is sent.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, args=(lifeline,), daemon=True).start()


def end_with_forking_process() -> None:
    """Lets Linux end this process when the one that forked it ends."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)


def _end_with_parent(lifeline: Connection) -> None:
    try:
        lifeline.recv_bytes()  # nothing is ever sent: returns when the pipe closes
    except (EOFError, OSError):
        os._exit(1)
