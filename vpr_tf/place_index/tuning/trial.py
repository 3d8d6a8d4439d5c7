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
from pathlib import Path
from typing import Any

import numpy as np

from vpr_tf.place_index.index_state import IndexState
from vpr_tf.place_index.joined import SelectedDescriptors
from vpr_tf.place_index.manifest import IndexManifest, read_manifest
from vpr_tf.place_index.recall import shares_found, without_own
from vpr_tf.place_index.tuning.candidates import Candidate
from vpr_tf.place_index.tuning.measurement import RECALL_VALUES, Measurement
from vpr_tf.place_index.tuning.timing import SECONDS_PER_ROUND, time_searches
from vpr_tf.search import (
    INDEX_KINDS,
    Descriptors,
    RetrievalError,
    SearchIndex,
    build_index,
)

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
        queries: Float32 `(num_queries, descriptor_dim)`.
        own_rows: Row of the database that each query is, int64; -1 where it is none.
        exact_rows: What exact search finds, without the own rows.
        folder: Where the structure is written; empty.
        seconds_per_round: See `time_searches`.
    """

    index_folder: Path
    generation: int
    candidate: Candidate
    queries: np.ndarray
    own_rows: np.ndarray
    exact_rows: np.ndarray
    folder: Path
    seconds_per_round: float = SECONDS_PER_ROUND


def open_database(
    folder: Path, generation: int | None = None
) -> tuple[IndexManifest, Descriptors]:
    """Opens the descriptors of the photos of an index that were not removed.

    Args:
        folder: The index.
        generation: That it must have; None for any.

    Raises:
        IndexMismatchError: There is no index, or it is damaged.
        RetrievalError: The index was changed, or holds nothing.
    """
    manifest = read_manifest(folder)
    if generation not in (None, manifest.generation):
        raise RetrievalError(
            f"The index {folder} was changed while it was tuned. Tune it again."
        )
    if not manifest.num_photos:
        raise RetrievalError(f"The index {folder} holds no photos. Add some first.")
    state = IndexState.open(folder, manifest, searched=False)
    if len(state.segments) == 1 and not len(state.removed):
        return manifest, state.segments[0].descriptors
    # Rows of several files are read a little slower than those of one.
    return manifest, SelectedDescriptors(state.descriptors, state.alive_rows)


def run_trial(trial: Trial, progress: Progress) -> list[Measurement]:
    """Builds a candidate, then opens and measures it.

    Args:
        trial: What to do.
        progress: Called with what is being done.

    Returns:
        One measurement for each of the candidate's searches.

    Raises:
        RetrievalError: A process ended without a result, e.g. for want of memory, or
            the candidate's settings cannot be.
    """
    progress("building")
    built = in_process(_build, (trial,), progress)
    return in_process(_measure, (trial, *built), progress)


def _build(trial: Trial, progress: Progress) -> tuple[dict[str, Any], float, float]:
    """Returns settings, time and peak of memory in MiB of building."""
    _, database = open_database(trial.index_folder, trial.generation)
    before = _peak_mib()
    started = time.perf_counter()
    index = build_index(trial.candidate.kind, database, trial.candidate.settings)
    build_s = time.perf_counter() - started
    index.write(trial.folder)
    return index.settings, build_s, _peak_mib() - before


def _measure(
    trial: Trial,
    settings: dict[str, Any],
    build_s: float,
    build_peak_mib: float,
    progress: Progress,
) -> list[Measurement]:
    _, database = open_database(trial.index_folder, trial.generation)
    k = max(RECALL_VALUES) + 1  # a stored photo finds itself as well
    candidate = trial.candidate
    before = _resident_mib()
    opened = INDEX_KINDS[candidate.kind].read(trial.folder, database, settings)
    opened.search(trial.queries[:1], k)
    memory_mib = max(0.0, _resident_mib() - before)
    indexes = [_with_search(opened, search) for search in candidate.searches]
    recalls = []
    for index, search in zip(indexes, candidate.searches, strict=True):
        progress(f"recall {_label(search)}".strip())
        rows = without_own(index.search(trial.queries, k)[1], trial.own_rows)
        recalls.append(
            shares_found(database, trial.queries, trial.exact_rows, rows, RECALL_VALUES)
        )
    times = time_searches(
        indexes, trial.queries, k, progress, seconds_per_round=trial.seconds_per_round
    )
    files = [path for path in trial.folder.rglob("*") if path.is_file()]
    size_mib = sum(path.stat().st_size for path in files) / _MIB
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
            memory_mib=memory_mib,
            size_mib=size_mib,
            build_s=build_s,
            build_peak_mib=build_peak_mib,
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


def in_process(function: Any, arguments: tuple[Any, ...], progress: Progress) -> Any:
    """Calls `function(*arguments, progress)` in a new process; returns its result."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(
        target=_work, args=(function, arguments, sender), daemon=True
    )
    process.start()
    sender.close()
    kind: str = "progress"
    value: Any = None
    try:
        while kind == "progress":
            kind, value = receiver.recv()
            if kind == "progress":
                progress(value)
    except EOFError:
        process.join()
        raise RetrievalError(
            f"Its process ended with exit code {process.exitcode}"
            f"{', most likely for want of memory' * (process.exitcode == -9)}."
        ) from None
    finally:
        process.join(timeout=_END_S if kind != "progress" else 0)
        process.terminate()
        process.join()
        receiver.close()
    if kind == "error":
        raise value
    return value


def _work(function: Any, arguments: tuple[Any, ...], sender: Connection) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # Without the parent, or interrupted with it, there is no one to tell.
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        try:
            result = function(*arguments, lambda text: sender.send(("progress", text)))
        except (ValueError, OSError, ImportError) as error:
            # Errors of libraries cannot be read by every process.
            kind = OSError if isinstance(error, OSError) else RetrievalError
            sender.send(("error", kind(str(error))))
        else:
            sender.send(("result", result))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
