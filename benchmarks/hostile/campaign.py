"""Runs the kinds of hostile inputs in processes of their own, and keeps findings."""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import resource
import shutil
import signal
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.hostile.inputs import Kind, TooSlowError, judge, make_input, remove
from benchmarks.hostile.watch import Watch, use_scratch

MOST_SECONDS = 10.0  # of the processor, for one input
# Bytes beyond those after the first input: of 100 megapixels in several copies.
_MOST_MEMORY = 4 << 30
_HANGS_S = 60.0
_KEPT_OF_A_SORT = 3
_MOST_DEATHS = 30
_NUMBER, _ACCEPTED, _REFUSED, _SLOWEST_MS, _SLOWEST = range(5)
_FINDINGS = "findings.txt"
PRELOADED = ["benchmarks.hostile.kinds"]  # so that a process starts in no time


def known_kinds() -> dict[str, Kind]:
    """Returns all kinds by name."""
    from benchmarks.hostile.kinds import kinds

    return kinds()


class Row(NamedTuple):
    """What a kind came to."""

    kind: str
    inputs: int
    accepted: int
    refused: int
    findings: int
    sorts: int
    slowest_ms: int
    seconds: int


@dataclass(frozen=True)
class Campaign:
    """How inputs are run.

    Attributes:
        output: Folder of findings and results.
        seed: Of all inputs.
        most_s: A kind that takes longer stops there, and its row says how far it came;
            the next run goes on from there.
    """

    output: Path
    seed: int = 0
    most_s: float = math.inf

    def run_one(self, name: str, number: int) -> tuple[bool, str]:
        """Reads one input in this process, and leaves its files where it says."""
        folder = self.output.absolute() / name / f"{number}-again"
        shutil.rmtree(folder, ignore_errors=True)
        scratch = use_scratch(folder)
        watch, kind = Watch(scratch), known_kinds()[name]
        return judge(kind, make_input(kind, name, self.seed, number, scratch), watch)

    def run_kind(self, name: str, count: int) -> Row:
        """Returns the row of a kind, run in child processes, or kept from before."""
        folder = self.output / name
        result = folder / "result.json"
        row = self._kept(result) or Row(name, 0, 0, 0, 0, 0, 0, 0)
        if row.inputs >= count:
            return row
        if not row.inputs:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            (folder / _FINDINGS).touch()
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOADED)
        progress = context.Array("d", 5)
        progress[_ACCEPTED], progress[_REFUSED] = row.accepted, row.refused
        progress[_SLOWEST_MS] = row.slowest_ms
        start, first, deaths = time.monotonic(), row.inputs, 0
        former_s = row.seconds
        while first < count and deaths < _MOST_DEATHS:
            left_s = self.most_s - (time.monotonic() - start)
            if left_s <= 0:
                break
            progress[_NUMBER] = first
            arguments = (name, self.seed, first, count, left_s, folder, progress)
            process = context.Process(target=_run_inputs, args=arguments)
            process.start()
            reason = _wait(process, progress)
            first = int(progress[_NUMBER])
            if reason:
                deaths += 1
                _note(folder / _FINDINGS, name, self.seed, first, reason)
                first += 1
            row = self._row(name, first, progress, former_s + time.monotonic() - start)
            result.write_text(json.dumps({"seed": self.seed, "row": row}))
        return row

    def _kept(self, result: Path) -> Row | None:
        if not result.is_file():
            return None
        kept = json.loads(result.read_text())
        return Row(*kept["row"]) if kept["seed"] == self.seed else None

    def _row(self, name: str, inputs: int, progress: Any, seconds: float) -> Row:
        sorts = findings_of(self.output / name)
        counts = int(progress[_ACCEPTED]), int(progress[_REFUSED])
        found = sorts.total(), len(sorts)
        slowest_ms = round(progress[_SLOWEST_MS])
        return Row(name, inputs, *counts, *found, slowest_ms, round(seconds))


def findings_of(folder: Path) -> Counter[str]:
    """Returns how many findings a kind has of each sort."""
    lines = (folder / _FINDINGS).read_text().splitlines()
    return Counter(_sort(line.split("\t")[1]) for line in lines)


def _wait(process: Any, progress: Any) -> str:
    """Waits for a child; returns why it died, empty if it did not."""
    number, since = -1.0, time.monotonic()
    while process.is_alive():
        process.join(1.0)
        if progress[_NUMBER] != number:
            number, since = progress[_NUMBER], time.monotonic()
        elif time.monotonic() - since > _HANGS_S:
            process.kill()
            process.join()
            return "ProcessHangs"
    if process.exitcode:
        name = signal.Signals(-process.exitcode).name if process.exitcode < 0 else "1"
        return f"ProcessDied of {name}"
    return ""


def _run_inputs(
    name: str,
    seed: int,
    first: int,
    count: int,
    most_s: float,
    folder: Path,
    progress: Any,
) -> None:
    """Runs the inputs of a kind from one on, in a child."""
    kind, seen = known_kinds()[name], Counter[str]()
    signal.signal(signal.SIGPROF, _too_slow)
    folder, end = folder.absolute(), time.monotonic() + most_s
    with (folder / "stderr.txt").open("a") as log:  # of libraries, about damage
        os.dup2(log.fileno(), 2)
    with tempfile.TemporaryDirectory() as temporary:
        scratch = use_scratch(Path(temporary))
        watch = Watch(scratch)
        for number in range(first, count):
            progress[_NUMBER] = number
            if time.monotonic() > end:
                return
            place = make_input(kind, name, seed, number, scratch)
            if number == first:  # what is imported on the way is no finding
                judge(kind, place)
                place = make_input(kind, name, seed, number, scratch)
                _limit_memory()
            start = time.process_time()
            signal.setitimer(signal.ITIMER_PROF, MOST_SECONDS)
            accepted, finding = judge(kind, place, watch)
            signal.setitimer(signal.ITIMER_PROF, 0)
            milliseconds = 1000 * (time.process_time() - start)
            if milliseconds > progress[_SLOWEST_MS]:
                progress[_SLOWEST_MS], progress[_SLOWEST] = milliseconds, number
            if finding:
                seen[_sort(finding)] += 1
                _note(folder / _FINDINGS, name, seed, number, finding)
                if seen[_sort(finding)] <= _KEPT_OF_A_SORT:
                    _keep(scratch, folder / str(number))
            else:
                progress[_ACCEPTED if accepted else _REFUSED] += 1
            for left in scratch.with_name("tmp").iterdir():
                remove(left)
    progress[_NUMBER] = count


def _keep(scratch: Path, folder: Path) -> None:
    """Copies the files of an input, links as links."""
    shutil.rmtree(folder, ignore_errors=True)
    pipes = shutil.ignore_patterns(
        *(path.name for path in scratch.rglob("*") if path.is_fifo())
    )
    shutil.copytree(scratch, folder, symlinks=True, ignore=pipes)


def _note(path: Path, name: str, seed: int, number: int, finding: str) -> None:
    with path.open("a") as file:
        text = ascii(finding)[1:-1]
        file.write(f"--seed {seed} --only {name}:{number}\t{text}\n")


def _sort(finding: str) -> str:
    """Returns what findings of one cause have in common: where, or the words."""
    first = finding.split(": ")[0]
    if " at " in first:
        return first
    return "".join(c for c in first[:90] if not c.isdigit())


def _too_slow(*_: Any) -> None:
    raise TooSlowError(f"more than {MOST_SECONDS:g} s")


def _limit_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + _MOST_MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
