"""Builds and measures one search structure, each in a process of its own.

So the memory of one does not count for the next, and one that is too large for the
machine ends its own process only.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import resource
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from vpr_tf.place_index.tuning.candidates import Candidate
from vpr_tf.place_index.tuning.database import TunedDatabase
from vpr_tf.place_index.tuning.measurement import RECALL_VALUES, Measurement
from vpr_tf.place_index.tuning.queries import Truth
from vpr_tf.place_index.tuning.timing import SECONDS_PER_ROUND, time_searches
from vpr_tf.search import INDEX_KINDS, RetrievalError, SearchIndex, build_index

_MIB = 1 << 20
_END_S = 10.0
_SHORT_NAMES = {"leaves_to_search": "searched", "reordered_neighbors": "reordered"}
Progress = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Trial:
    """What to build and measure.

    Attributes:
        index_folder: Folder of the descriptors.
        generation: That it must have.
        candidate: What to build, and how to search it.
        truth: What should be found.
        folder: Where the structure is written; empty.
        seconds_per_round: See `time_searches`.
    """

    index_folder: Path
    generation: int
    candidate: Candidate
    truth: Truth
    folder: Path
    seconds_per_round: float = SECONDS_PER_ROUND


@dataclass(frozen=True)
class _Built:
    settings: dict[str, Any]
    build_s: float
    build_peak_mib: float


def run_trial(trial: Trial, progress: Progress) -> list[Measurement]:
    """Builds a candidate, then opens and measures it.

    Args:
        trial: What to do.
        progress: Told what is being done.

    Returns:
        One measurement for each of the candidate's searches.

    Raises:
        RetrievalError: A process ended without an answer, e.g. for want of memory.
        ValueError: The candidate's settings cannot be.
    """
    progress("building")
    built = _in_process(_build, (trial,), progress)
    return _in_process(_measure, (trial, built), progress)


def _build(trial: Trial, progress: Progress) -> _Built:
    database = TunedDatabase.open(trial.index_folder, trial.generation)
    before = _peak_mib()
    started = time.perf_counter()
    candidate = trial.candidate
    index = build_index(candidate.kind, database.descriptors, candidate.settings)
    build_s = time.perf_counter() - started
    index.write(trial.folder)
    return _Built(index.settings, build_s, _peak_mib() - before)


def _measure(trial: Trial, built: _Built, progress: Progress) -> list[Measurement]:
    database = TunedDatabase.open(trial.index_folder, trial.generation)
    queries = trial.truth.queries.descriptors
    k = max(RECALL_VALUES) + 1  # a stored photo finds itself as well
    candidate = trial.candidate
    before = _resident_mib()
    opened = INDEX_KINDS[candidate.kind].read(
        trial.folder, database.descriptors, built.settings
    )
    opened.search(queries[:1], k)
    memory_mib = _resident_mib() - before
    indexes = [_with_search(opened, search) for search in candidate.searches]
    recalls = []
    for index, search in zip(indexes, candidate.searches, strict=True):
        progress(f"recall {_label(search)}".strip())
        rows = trial.truth.queries.without_own(index.search(queries, k)[1])
        recalls.append(trial.truth.recalls(database.descriptors, rows, RECALL_VALUES))
    times = time_searches(
        indexes, queries, k, progress, seconds_per_round=trial.seconds_per_round
    )
    size = sum(path.stat().st_size for path in _files(trial.folder))
    return [
        Measurement(
            kind=candidate.kind,
            settings=index.settings,
            label=f"{candidate.label} {_label(search)}".strip(),
            is_exact=index.is_exact,
            recalls=recall,
            p50_ms=spent.percentile_ms(50),
            p95_ms=spent.percentile_ms(95),
            queries_per_s=spent.best_queries_per_s,
            memory_mib=max(0.0, memory_mib),
            size_mib=size / _MIB,
            build_s=built.build_s,
            build_peak_mib=built.build_peak_mib,
        )
        for index, search, recall, spent in zip(
            indexes, candidate.searches, recalls, times, strict=True
        )
    ]


def _with_search(index: SearchIndex, search: dict[str, Any]) -> SearchIndex:
    return index.with_search_settings(**search) if search else index  # type: ignore[attr-defined]


def _label(search: dict[str, Any]) -> str:
    return " ".join(
        f"{_SHORT_NAMES.get(name, name)}={value}" for name, value in search.items()
    )


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _resident_mib() -> float:
    status = Path("/proc/self/status")
    if not status.exists():
        return _peak_mib()
    line = next(
        line for line in status.read_text().splitlines() if line.startswith("VmRSS")
    )
    return int(line.split()[1]) / 1024


def _in_process(function: Any, arguments: tuple[Any, ...], progress: Progress) -> Any:
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(
        target=_answer, args=(function, arguments, sender), daemon=True
    )
    process.start()
    sender.close()
    try:
        return _received(receiver, process, progress)
    finally:
        process.join(timeout=_END_S)
        if process.is_alive():
            process.terminate()
            process.join()
        receiver.close()


def _received(receiver: Connection, process: BaseProcess, progress: Progress) -> Any:
    while True:
        try:
            kind, value = receiver.recv()
        except EOFError:
            process.join()
            raise RetrievalError(
                f"Its process ended with exit code {process.exitcode}"
                f"{', most likely for want of memory' * (process.exitcode == -9)}."
            ) from None
        if kind == "progress":
            progress(value)
        elif kind == "error":
            raise value
        else:
            return value


def _answer(function: Any, arguments: tuple[Any, ...], sender: Connection) -> None:
    def progress(text: str) -> None:
        sender.send(("progress", text))

    threading.Thread(target=_end_with_parent, daemon=True).start()
    # Without the parent, or interrupted with it, there is no one to tell.
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        try:
            sender.send(("answer", function(*arguments, progress)))
        except BrokenPipeError:
            raise
        except (ValueError, OSError, ImportError) as error:
            sender.send(("error", _plain(error)))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _plain(error: Exception) -> Exception:
    """Returns an error that every process can read."""
    kind = RetrievalError if isinstance(error, ValueError) else type(error)
    return kind(str(error))
