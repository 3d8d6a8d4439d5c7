"""Faults: each disturbs one command and says what status it may have had."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.faults.children import Child, Harm

_YEAR_S = 365 * 24 * 3600.0
_MIB = 1 << 20


class Trial:
    """One command to be disturbed.

    Args:
        arguments: Returns the arguments of `vpr`, also for the next run.
        work: Its folder, on a file system of its own where that is possible.
        seconds: That it takes undisturbed.
        bytes_needed: On the file system, at most.
        renames: That it makes undisturbed.
        rng: What chance is.

    Attributes:
        errors: File of what the command prints as errors.
    """

    def __init__(
        self,
        arguments: Callable[[], list[str]],
        work: Path,
        seconds: float,
        bytes_needed: int,
        renames: int,
        rng: np.random.Generator,
    ):
        self.arguments, self.work, self.seconds = arguments, work, seconds
        self.bytes_needed, self.renames, self.rng = bytes_needed, renames, rng
        self.errors = work.parent / "errors.txt"

    def start(self, harm: Harm | None = None) -> Child:
        """Starts the command."""
        return Child(self.arguments(), self.errors, harm)


def kill(trial: Trial) -> list[int]:
    """Kills at random moments until the command is done."""
    statuses: list[int] = []
    while True:
        child = trial.start()
        status = child.wait(float(trial.rng.uniform(0, 1.2 * trial.seconds)))
        if status is not None:
            return [*statuses, status]
        statuses.append(child.kill())
        if len(statuses) > 2:  # the last run is the one that must make it good
            return statuses


def disk_full(trial: Trial) -> list[int]:
    """Leaves less space than the command needs."""
    used = used_bytes(trial.work)
    share = float(trial.rng.uniform(0, 1))
    set_size(trial.work, used + int(share * max(trial.bytes_needed - used, 4096)))
    try:
        return [_finished(trial.start())]
    finally:
        set_size(trial.work, None)


def read_only(trial: Trial) -> list[int]:
    """Makes the file system read-only, from the start or in between."""
    if trial.rng.random() < 0.5:
        _remount(trial.work, "ro")
        child = trial.start()
    else:
        child = trial.start()
        child.wait(float(trial.rng.uniform(0, trial.seconds)))
        # Open files of writers keep a file system writable: then nothing happens.
        _remount(trial.work, "ro", may_fail=True)
    try:
        return [_finished(child)]
    finally:
        _remount(trial.work, "rw")


def memory(trial: Trial) -> list[int]:
    """Allows less address space than the command would take."""
    more = int(2 ** trial.rng.uniform(0, 11)) * _MIB

    def harm() -> None:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + more
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    return [_finished(trial.start(harm))]


def clock_back(trial: Trial) -> list[int]:
    """Kills, and starts again a year earlier."""
    child = trial.start()
    child.wait(float(trial.rng.uniform(0, trial.seconds)))
    return [child.kill(), _finished(trial.start(_a_year_earlier))]


def _a_year_earlier() -> None:
    now, localtime, strftime = time.time, time.localtime, time.strftime
    time.time = lambda: now() - _YEAR_S
    time.localtime = lambda s=None: localtime(now() - _YEAR_S if s is None else s)
    time.strftime = lambda form, t=None: strftime(form, t or time.localtime())


def two_writers(trial: Trial) -> list[int]:
    """Starts the command twice, the second a little later."""
    first = trial.start()
    first.wait(float(trial.rng.uniform(0, 0.5 * trial.seconds)))
    second = trial.start()
    return [_finished(first), _finished(second)]


def rename(trial: Trial) -> list[int]:
    """Fails a rename, before or after it is done."""
    fails_at = int(trial.rng.integers(1, max(trial.renames, 1) + 1))
    is_done = bool(trial.rng.random() < 0.5)

    def fail(calls: int, source: Any, *, is_before: bool) -> None:
        if calls == fails_at and is_before != is_done:
            number = errno.ESTALE if is_before else errno.EIO
            raise OSError(number, os.strerror(number), str(source))

    return [_finished(trial.start(lambda: watch_renames(fail)))]


def watch_renames(see: Callable[..., None]) -> None:
    """Calls a function before and after each rename of this process.

    Args:
        see: Gets the number of the rename, its source, and whether it is to come.
    """
    calls = 0

    def watched(function: Callable[..., None]) -> Callable[..., None]:
        def call(source: Any, target: Any, **options: Any) -> None:
            nonlocal calls
            calls += 1
            number = calls
            see(number, source, is_before=True)
            function(source, target, **options)
            see(number, source, is_before=False)

        return call

    os.rename, os.replace = watched(os.rename), watched(os.replace)


def count_renames(file: Path) -> None:
    """Keeps the number of renames of this process in a file."""

    def write(calls: int, source: Any, *, is_before: bool) -> None:
        file.write_text(str(calls))

    watch_renames(write)


FAULTS: dict[str, Callable[[Trial], list[int]]] = {
    "kill": kill,
    "disk_full": disk_full,
    "read_only": read_only,
    "memory": memory,
    "clock_back": clock_back,
    "two_writers": two_writers,
    "rename": rename,
}
NEED_A_MOUNT = {"disk_full", "read_only"}
# Statuses of a command that noticed: partly done, refused; and of lack of memory,
# where libraries abort and the C library ends with 127.
NOTICED = {0, 1, 2}
DIED = {-signal.SIGKILL}
OUT_OF_MEMORY = {
    *(-signal.SIGABRT, -signal.SIGSEGV, -signal.SIGTRAP, -signal.SIGBUS),
    127,
}


def _finished(child: Child) -> int:
    status = child.wait()
    if status is None:
        raise RuntimeError("A child without a time limit has not ended.")
    return status


# === A file system of its own ===


def mount(folder: Path) -> bool:
    """Mounts a tmpfs; returns whether that is possible."""
    command = ["mount", "-t", "tmpfs", "-o", "size=1g", "vpr_tf", str(folder)]
    done = subprocess.run(command, capture_output=True, check=False)
    return done.returncode == 0


def unmount(folder: Path) -> None:
    """Unmounts it."""
    subprocess.run(["umount", "-l", str(folder)], check=True)


def used_bytes(folder: Path) -> int:
    """Returns the used bytes of its file system."""
    found = os.statvfs(folder)
    return (found.f_blocks - found.f_bfree) * found.f_frsize


def set_size(folder: Path, size: int | None) -> None:
    """Makes a mounted tmpfs smaller or larger.

    Args:
        folder: Where it is mounted.
        size: Bytes, rounded up to pages; None for as many as at first.
    """
    page = resource.getpagesize()
    pages = None if size is None else max(-(-size // page), 1)
    text = "1g" if pages is None else str(pages * page)
    _remount(folder, f"size={text}")


def _remount(folder: Path, option: str, *, may_fail: bool = False) -> None:
    command = ["mount", "-o", f"remount,{option}", str(folder)]
    subprocess.run(command, capture_output=may_fail, check=not may_fail)
