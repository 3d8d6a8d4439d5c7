"""The processes of a service: one, or several that share a port and are watched."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType

from vpr_tf.printable import printable
from vpr_tf.serving.metrics_folder import hold, metrics_folder
from vpr_tf.serving.one_process import (
    DONE,
    ENDING_S,
    FAILED,
    INTERRUPTED,
    run_here,
)
from vpr_tf.serving.process_settings import ProcessSettings
from vpr_tf.serving.request_log import write_log
from vpr_tf.serving.settings import ServiceError, ServiceSettings

_LOG = logging.getLogger("vpr_tf.serving")
_METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
# How the libraries of search and encoders are told how many cores to use.
_THREADS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")
# What killed processes leave is cleaned up by Python, which would say so each time.
_OF_KILLED = "ignore::UserWarning:multiprocessing.resource_tracker"
_LOOK_S = 0.2
# So long after its start a worker that dies is started again without delay.
_SETTLED_S = 5.0


def serve(
    settings: ServiceSettings,
    how: ProcessSettings,
    bound: socket.socket,
    *,
    on_ready: Callable[[], None],
    trust_model: bool = False,
) -> int:
    """Serves until a signal ends it.

    SIGTERM and SIGINT let accepted requests be answered, for `how.drain_s` at most; a
    second signal ends at once.

    Args:
        settings: Of the service.
        how: It is reached and run.
        bound: See `bind_socket`.
        on_ready: Called when requests are answered.
        trust_model: Whether encoders are loaded whatever they hold.

    Returns:
        The exit status: 0 after SIGTERM, 130 after SIGINT.

    Raises:
        Exception: What went wrong when the service was opened.
    """
    os.environ.setdefault("PYTHONWARNINGS", _OF_KILLED)
    write_log()
    if how.workers == 1:
        return run_here(
            settings, how, bound, on_ready=on_ready, trust_model=trust_model
        )
    return _Workers(settings, how, bound, on_ready, trust_model).run()


class _Workers:
    """Starts processes, starts those again that die, and ends them.

    They share the socket: whoever is free takes the next connection. The files of an
    index are mapped, so that the system holds them once.

    Args:
        settings: Of the service.
        how: It is reached and run.
        bound: See `bind_socket`.
        on_ready: Called when all answer.
        trust_model: See `serve`.
    """

    def __init__(
        self,
        settings: ServiceSettings,
        how: ProcessSettings,
        bound: socket.socket,
        on_ready: Callable[[], None],
        trust_model: bool = False,
    ) -> None:
        self._arguments = (settings, how, bound, trust_model)
        self._bound, self._how, self._on_ready = bound, how, on_ready
        self._running: list[_Worker] = []
        self._signals: list[int] = []
        self._is_ready = False

    def run(self) -> int:
        """Serves until a signal; returns the exit status.

        Raises:
            ServiceError: A worker could not open the service.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note)
        with metrics_folder() as metrics:
            os.environ[_METRICS_FOLDER] = str(metrics)
            limit_threads(self._how.workers)
            try:
                self._running = [self._start() for _ in range(self._how.workers)]
                self._watch()
                return self._end()
            finally:
                for worker in self._running:
                    worker.process.kill()

    def _note(self, number: int, _frame: FrameType | None = None) -> None:
        self._signals.append(number)

    def _start(self) -> _Worker:
        return _Worker(self._arguments)

    def _watch(self) -> None:
        """Replaces workers that die, until there is a signal."""
        while not self._signals:
            wait([one.process.sentinel for one in self._running], _LOOK_S)
            for number, worker in enumerate(self._running):
                worker.look()
                if worker.process.exitcode is not None and not self._signals:
                    self._running[number] = self._again(worker)
            if not self._is_ready and all(one.is_ready for one in self._running):
                self._is_ready = True
                self._on_ready()

    def _again(self, dead: _Worker) -> _Worker:
        why = dead.failure or _why(dead.process)
        if not self._is_ready:  # another would fare no better
            raise ServiceError(dead.failure or f"A worker died as it started: {why}.")
        _LOG.warning(printable(f"A worker died ({why}); another takes its place."))
        forget_metrics(dead.process)
        if time.monotonic() - dead.started < _SETTLED_S:
            time.sleep(1)
        return self._start()

    def _end(self) -> int:
        """Lets the workers end; returns the exit status."""
        first = self._signals[0]
        status = INTERRUPTED if first == signal.SIGINT else DONE
        self._bound.close()  # the last one to close it refuses new connections
        for worker in self._running:
            worker.process.terminate()
        limit = time.monotonic() + self._how.drain_s + ENDING_S
        alive = [one.process for one in self._running]
        while alive and len(self._signals) == 1 and time.monotonic() < limit:
            wait([process.sentinel for process in alive], _LOOK_S)
            alive = [process for process in alive if process.is_alive()]
        return status


class _Worker:
    """A process that answers, as seen from the one that started it."""

    def __init__(self, arguments: tuple[object, ...]) -> None:
        context = multiprocessing.get_context("spawn")
        self._news, theirs = context.Pipe(duplex=False)
        self.process: BaseProcess = context.Process(
            target=run_worker, args=(*arguments, theirs)
        )
        self.started = time.monotonic()
        self.is_ready = False
        self.failure: str | None = None
        self.process.start()
        theirs.close()

    def look(self) -> None:
        """Reads what it says."""
        try:
            while self._news.poll():
                self.is_ready, self.failure = self._news.recv()
        except (EOFError, OSError):
            pass


def run_worker(
    settings: ServiceSettings,
    how: ProcessSettings,
    bound: socket.socket,
    trust_model: bool,
    news: Connection,
) -> None:
    """Answers requests, in a process of its own, until SIGTERM.

    Args:
        settings: Of the service.
        how: It is reached and run.
        bound: See `bind_socket`.
        trust_model: See `serve`.
        news: Says that requests are answered, or why not.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent says when to end
    write_log()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        hold(Path(os.environ[_METRICS_FOLDER]))
        status = run_here(
            settings,
            how,
            bound,
            on_ready=lambda: news.send((True, None)),
            signals=(signal.SIGTERM,),
            trust_model=trust_model,
        )
    except Exception as error:
        news.send((False, str(error) or type(error).__name__))
        status = FAILED
    sys.exit(status)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def limit_threads(num_workers: int) -> None:
    """Gives each of the processes that are started from here its share of the cores."""
    share = max(1, len(os.sched_getaffinity(0)) // num_workers)
    for name in _THREADS:
        os.environ.setdefault(name, str(share))


def forget_metrics(process: BaseProcess) -> None:
    """Removes what a process that died said of itself; what it counted stays."""
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(process.pid)


def _why(process: BaseProcess) -> str:
    code = process.exitcode or 0
    if code < 0:
        return f"process {process.pid}, {signal.Signals(-code).name}"
    return f"process {process.pid}, status {code}"
