"""Timing of a compiled function on a machine that may be busy."""

from __future__ import annotations

import contextlib
import os
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple


class Rate(NamedTuple):
    """Images a second of one function.

    Attributes:
        per_second: Median over the repetitions, by the clock.
        per_second_of_cpu: The same by CPU time, as if all cores had been free: what
            the function costs even while other programs run.
    """

    per_second: float
    per_second_of_cpu: float


def measure_rate(function: Callable[[], object], images: int, repetitions: int) -> Rate:
    """Calls a function, which must wait for its result, and times it.

    The first two calls, which compile, are not counted.
    """
    for _ in range(2):
        function()
    clock, cpu = [], []
    for _ in range(repetitions):
        clock_start, cpu_start = time.perf_counter(), time.process_time()
        function()
        clock.append(time.perf_counter() - clock_start)
        cpu.append(time.process_time() - cpu_start)
    cores = len(os.sched_getaffinity(0))
    return Rate(
        images / statistics.median(clock), images * cores / statistics.median(cpu)
    )


def times_faster(rate: Rate, peer: Rate) -> float:
    """Returns a ratio: by the clock with a GPU, else by CPU time.

    Args:
        rate: Of a function.
        peer: Of another that does the same.
    """
    import tensorflow as tf

    if tf.config.list_physical_devices("GPU"):
        return rate.per_second / peer.per_second
    return rate.per_second_of_cpu / peer.per_second_of_cpu


def describe_machine() -> str:
    """Returns the cores and whether the CPU has bfloat16 instructions."""
    cores = len(os.sched_getaffinity(0))
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return f"{cores} cores"
    has = "has" if "avx512_bf16" in flags or "amx_bf16" in flags else "has no"
    return f"{cores} cores; the CPU {has} bfloat16 instructions"


def memory_mib(name: str) -> float:
    """Returns memory of this process in MiB.

    Args:
        name: A line of /proc/self/status: `VmRSS` is what it has, `VmHWM` the most
            that it had.

    Raises:
        OSError: The system has no such file.
    """
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) / 1024
    raise OSError("Memory is measured by /proc/self/status, which Linux has.")


@contextlib.contextmanager
def own_memory_watched(every_s: float = 0.05) -> Iterator[list[float]]:
    """Yields a list whose only value becomes the most memory, without files, in MiB.

    Memory-mapped files count in `VmHWM`, though the system takes their pages back when
    it needs them. The system keeps no peak without them, so this looks now and then.
    """
    peak, ended = [0.0], threading.Event()

    def watch() -> None:
        while not ended.wait(every_s):
            peak[0] = max(peak[0], memory_mib("RssAnon"))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        peak[0] = max(peak[0], memory_mib("RssAnon"))
        ended.set()
        thread.join()
