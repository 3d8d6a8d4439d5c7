"""Changes of an index that are killed, and readers that search meanwhile."""

from __future__ import annotations

import inspect
import multiprocessing
import multiprocessing.synchronize
import os
import shutil
import signal
import sys
import time
import types
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.index_samples import CHANGES, add, answer, make_batch, same
from vpr_tf import atomic_files, stored_files
from vpr_tf.place_index import IndexManifest, PlaceIndex, transaction
from vpr_tf.place_index.manifest import read_manifest

# What changes do to the disk; each of them is announced before it happens.
_STEPS = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "fcntl.flock"}
# Where a change is committed; each line of it is a moment to be killed at.
_COMMITTING = {
    inspect.getfile(module) for module in (atomic_files, stored_files, transaction)
} | {inspect.getfile(IndexManifest)}
_READERS_K = 10
_BATCH = 5


class WrongStateError(RuntimeError):
    """An index that is neither in the old nor in the new state."""


def processes() -> multiprocessing.context.ForkServerContext:
    """Returns processes that start in no time, since all is imported once."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["benchmarks.index_kills"])
    return context


class KillCampaign:
    """Kills changes of indexes and looks at what is left.

    Args:
        folder: Scratch folder.
        changes: Each by its name, of an index folder; one follows another.

    Attributes:
        outcomes: Counts of `<change>: old` and `<change>: new`.
    """

    def __init__(
        self, folder: Path, changes: dict[str, Callable[[Path], object]] = CHANGES
    ) -> None:
        self._changes = changes
        self._work = folder / "index"
        self._context = processes()
        self._before: dict[str, Path] = {}
        self._answers = {}
        self.outcomes: Counter[str] = Counter()
        for number, (name, change) in enumerate(changes.items()):
            self._before[name] = folder / f"state-{number}"
            after = folder / f"state-{number + 1}"
            if number:
                shutil.copytree(self._before[name], after)
            change(after)
            self._answers[name] = answer(after)

    def kill_at_steps(self, name: str, every: int = 1) -> int:
        """Kills a change before each of its steps on the disk; returns how many."""
        step = 1
        while self._trial(name, step, None):
            step += every
        return step // every

    def kill_at_lines(self, name: str, every: int = 1, first: int = 1) -> int:
        """Kills a change before each line that commits it; returns how many.

        Between two steps on the disk lie buffers that are not yet written, and what
        is not audited: `fsync`, `write`.
        """
        line = first
        while self._trial(name, line, None, by_line=True):
            line += every
        return (line - first) // every

    def kill_at_random(self, name: str, trials: int, seed: int = 0) -> None:
        """Kills a change at random moments."""
        start = time.perf_counter()
        self._trial(name, None, None)
        duration_s = time.perf_counter() - start
        for wait_s in np.random.default_rng(seed).uniform(0, duration_s, trials):
            self._trial(name, None, float(wait_s))

    def _trial(
        self,
        name: str,
        step: int | None,
        wait_s: float | None,
        *,
        by_line: bool = False,
    ) -> bool:
        """Runs a change and kills it; returns whether it was killed in time."""
        self._restore(name)
        process = self._context.Process(
            target=_change, args=(name, self._work, step, by_line)
        )
        process.start()
        if wait_s is not None:
            time.sleep(wait_s)
            process.kill()
        process.join()
        if process.exitcode not in (0, -signal.SIGKILL):
            raise WrongStateError(f"{name} ended with {process.exitcode}")
        self._check(name)
        return process.exitcode != 0

    def _restore(self, name: str) -> None:
        """Makes the index as it is before a change."""
        shutil.rmtree(self._work, ignore_errors=True)
        if self._before[name].exists():
            shutil.copytree(self._before[name], self._work)

    def _check(self, name: str) -> None:
        is_new = self._is_new(name)
        self.outcomes[f"{name}: {'new' if is_new else 'old'}"] += 1
        if not is_new:
            self._changes[name](self._work)
            if not self._is_new(name):
                raise WrongStateError(f"{name}, run again, gave another state")
            left = {
                path.relative_to(self._work).as_posix()
                for path in self._work.rglob("*")
                if path.is_file()
            } - {*read_manifest(self._work).files(), "manifest.json", ".lock"}
            if left or self._work.with_name("index.unfinished").exists():
                raise WrongStateError(f"{name}, run again, left {left}")

    def _is_new(self, name: str) -> bool:
        if not self._work.exists() and name == "create":
            return False
        report = PlaceIndex(self._work).verify()
        if not report.is_intact:
            raise WrongStateError(f"{name}: {report.problems}")
        found = answer(self._work)
        generation = read_manifest(self._work).generation
        names = list(self._changes)
        former = names[names.index(name) - 1]
        is_new = generation == names.index(name) + 1
        if not same(found, self._answers[name if is_new else former]):
            raise WrongStateError(f"{name} at generation {generation}: other answers")
        return is_new


def _change(
    name: str, folder: Path, kill_before_step: int | None, by_line: bool
) -> None:
    steps = 0

    def count() -> None:
        nonlocal steps
        steps += 1
        if steps == kill_before_step:
            os.kill(os.getpid(), signal.SIGKILL)

    def see_event(event: str, arguments: object) -> None:
        if event in _STEPS:
            count()

    def see_line(frame: types.FrameType, event: str, argument: object) -> Any:
        if frame.f_code.co_filename not in _COMMITTING:
            return None
        if event == "line":
            count()
        return see_line

    if by_line:
        sys.settrace(see_line)
    else:
        sys.addaudithook(see_event)
    CHANGES[name](folder)


class Readers:
    """Processes that search an index again and again while it changes.

    Args:
        folder: An index of `make_batch(40)`.
        num_readers: Processes.
        num_changes: That `run` makes.
    """

    def __init__(self, folder: Path, num_readers: int, num_changes: int) -> None:
        self._folder = folder
        self._num_readers = num_readers
        self._states = list(_states(num_changes))

    def run(self) -> list[tuple[int, int, str]]:
        """Changes the index under the readers.

        Returns:
            For each reader: searches, different states seen, and what was wrong.
        """
        context = processes()
        queries = make_batch(12, first=3).descriptors
        expected = [_nearest_keys(queries, *state) for state in self._states]
        stop, results = context.Event(), context.Queue()
        ready = context.Barrier(self._num_readers + 1)
        arguments = (self._folder, queries, expected, ready, stop, results)
        readers = [
            context.Process(target=_read, args=arguments)
            for _ in range(self._num_readers)
        ]
        for reader in readers:
            reader.start()
        ready.wait(60)
        for number in range(1, len(self._states)):
            _make_change(self._folder, number)
        stop.set()
        answers = [results.get(timeout=60) for _ in readers]
        for reader in readers:
            reader.join()
        return answers


def _make_change(folder: Path, number: int) -> None:
    """Adds 5 photos, or removes the oldest 2, or merges all, in turn."""
    if number % 7 == 6:
        PlaceIndex(folder).compact()
    elif number % 3 == 2:
        first = 2 * (number // 3)
        PlaceIndex(folder).remove(make_batch(2, first).photos.keys.tolist())
    else:
        add(folder, *make_batch(_BATCH, first=1000 + _BATCH * number))


def _states(num_changes: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields keys and descriptors after each change, by lists alone."""
    descriptors, photos = make_batch(40)
    keys = photos.keys
    yield keys, descriptors
    for number in range(1, num_changes + 1):
        if number % 7 != 6:
            if number % 3 == 2:
                gone = make_batch(2, 2 * (number // 3)).photos.keys
                kept = ~np.isin(keys, gone)
                keys, descriptors = keys[kept], descriptors[kept]
            else:
                batch = make_batch(_BATCH, first=1000 + _BATCH * number)
                keys = np.concatenate([keys, batch.photos.keys])
                descriptors = np.concatenate([descriptors, batch.descriptors])
        yield keys, descriptors


def _nearest_keys(
    queries: np.ndarray, keys: np.ndarray, descriptors: np.ndarray
) -> list[list[bytes]]:
    distances = ((queries[:, None].astype(np.float64) - descriptors) ** 2).sum(axis=2)
    order = np.argsort(distances, axis=1, kind="stable")[:, :_READERS_K]
    return keys[order].tolist()


def _read(
    folder: Path,
    queries: np.ndarray,
    expected: list[list[list[bytes]]],
    ready: multiprocessing.synchronize.Barrier,
    stop: multiprocessing.synchronize.Event,
    results: multiprocessing.Queue[tuple[int, int, str]],
) -> None:
    searches, seen, last, wrong = 0, set(), 0, ""
    index = PlaceIndex.open(folder)
    ready.wait(60)
    try:
        while not stop.is_set() and not wrong:
            matches = index.search(queries, _READERS_K)
            found = matches.photos.keys[matches.rows].tolist()
            later = [n for n in range(last, len(expected)) if expected[n] == found]
            if later:
                last = later[0]
                seen.add(last)
            else:
                wrong = f"search {searches} gave the answer of no state after {last}"
            searches += 1
    except ValueError as error:
        wrong = repr(error)
    results.put((searches, len(seen), wrong))
