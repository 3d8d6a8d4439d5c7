"""Runs trials, looks at what they left, and counts."""

from __future__ import annotations

import dataclasses
import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.faults.children import Child
from benchmarks.faults.injections import (
    DIED,
    FAULTS,
    NEED_A_MOUNT,
    NOTICED,
    OUT_OF_MEMORY,
    Trial,
    count_renames,
    mount,
    unmount,
    used_bytes,
)
from benchmarks.faults.operations import Operation, State, operations
from vpr_tf.atomic_files import write_json


@dataclasses.dataclass
class Count:
    """What the trials of one operation and one fault came to.

    Attributes:
        trials: Trials.
        faults: Times that the command was stopped or said that it could not go on.
        findings: What was wrong, a line each.
        seconds: That all took.
    """

    trials: int = 0
    faults: int = 0
    findings: list[str] = dataclasses.field(default_factory=list)
    seconds: float = 0.0


@dataclasses.dataclass(frozen=True)
class _Undisturbed:
    outcome: State
    seconds: float
    bytes_needed: int
    renames: int


class Campaign:
    """Trials in a folder, which keeps their counts.

    Args:
        folder: Existing or new.
        seed: Of what is random.
    """

    def __init__(self, folder: Path, seed: int = 0):
        self._seed = seed
        self._work = folder / "work"
        self._file = folder / "counts.json"
        self._work.mkdir(parents=True, exist_ok=True)
        self._has_mount = mount(self._work)
        self._operations = operations((folder / "inputs").absolute())
        self._undisturbed: dict[str, _Undisturbed] = {}
        self.counts = self._read()

    def close(self) -> None:
        """Unmounts the file system of the trials."""
        if self._has_mount:
            unmount(self._work)

    def run(
        self, name: str, fault: str, count: int, say: Callable[[str], None]
    ) -> None:
        """Makes the trials that are missing.

        Args:
            name: Of the operation.
            fault: Of the fault.
            count: Trials in all.
            say: Gets each finding.
        """
        counted = self.counts.setdefault(f"{name} {fault}", Count())
        if fault in NEED_A_MOUNT and not self._has_mount:
            say(f"{name} {fault}: left out, since a tmpfs cannot be mounted here")
            return
        while counted.trials < count:
            start = time.perf_counter()
            faults, finding = self._trial(name, fault, counted.trials)
            counted.seconds += time.perf_counter() - start
            if finding:
                counted.findings.append(f"{counted.trials}: {finding}")
                say(f"{name} {fault} {counted.findings[-1]}")
            counted.trials += 1
            counted.faults += faults
            self._write()

    def _trial(self, name: str, fault: str, number: int) -> tuple[int, str]:
        """Returns how often the fault struck, and what was wrong."""
        operation = self._operations[name]
        known = self._measured(name, operation)
        self._start_anew(operation)
        kind = list(FAULTS).index(fault)
        trial = Trial(
            lambda: operation.arguments(self._work),
            self._work,
            known.seconds,
            known.bytes_needed,
            known.renames,
            np.random.default_rng((self._seed, kind, number)),
        )
        statuses = FAULTS[fault](trial)
        allowed = NOTICED | DIED | (OUT_OF_MEMORY if fault == "memory" else set())
        errors = trial.errors.read_text(errors="replace")
        faults = sum(status != 0 for status in statuses)
        if unknown := [status for status in statuses if status not in allowed]:
            return faults, f"status {unknown}: {errors[-300:]!r}"
        # What Python says of an object that a library gives up is not how it ended.
        if "Traceback" in errors and "Exception ignored in" not in errors:
            return faults, f"traceback: {errors[-300:]!r}"
        if 2 in statuses[-1:] and not errors.strip():
            return faults, "refused without a word"
        return faults, self._what_is_left(operation, known, trial)

    def _what_is_left(
        self, operation: Operation, known: _Undisturbed, trial: Trial
    ) -> str:
        """Returns what is wrong now or after the next run; empty if nothing."""
        if problem := operation.is_whole(self._work):
            return problem
        if operation.outcome(self._work) != known.outcome:
            status = trial.start().wait()
            if status:
                errors = trial.errors.read_text(errors="replace")
                return f"the next run ended with {status}: {errors[-300:]!r}"
        left = operation.outcome(self._work)
        names = known.outcome.keys() | left.keys()
        other = sorted(n for n in names if known.outcome.get(n) != left.get(n))
        return f"other than undisturbed: {other[:5]}" if other else ""

    def _measured(self, name: str, operation: Operation) -> _Undisturbed:
        if name not in self._undisturbed:
            self._start_anew(operation)
            work = self._work
            errors, renames = work.parent / "errors.txt", work.parent / "renames.txt"
            renames.write_text("0")
            start = time.perf_counter()
            child = Child(
                operation.arguments(work), errors, lambda: count_renames(renames)
            )
            if status := child.wait():
                text = errors.read_text(errors="replace")
                raise RuntimeError(f"{name} failed undisturbed: {status}: {text}")
            seconds = time.perf_counter() - start
            outcome = operation.outcome(self._work)
            if not outcome:
                raise RuntimeError(f"{name}: an undisturbed run left nothing")
            used = used_bytes(self._work)
            self._undisturbed[name] = _Undisturbed(
                outcome, seconds, used, int(renames.read_text())
            )
        return self._undisturbed[name]

    def _start_anew(self, operation: Operation) -> None:
        for path in self._work.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        operation.prepare(self._work)

    def _read(self) -> dict[str, Count]:
        if not self._file.exists():
            return {}
        return {k: Count(**v) for k, v in json.loads(self._file.read_text()).items()}

    def _write(self) -> None:
        write_json(
            self._file, {k: dataclasses.asdict(v) for k, v in self.counts.items()}
        )
