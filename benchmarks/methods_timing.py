"""What one query costs, and what must be held to answer it."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vpr_tf.search import SearchIndex

_WARM_UP = 5


def median_ms(function: Callable[[Any], object], queries: Sequence[Any]) -> float:
    """Returns the median time of a call over queries, one at a time.

    The first calls, which compile and fill caches, are made twice and counted once.
    """
    return medians_ms([function], [queries])[0]


def medians_ms(
    functions: Sequence[Callable[[Any], object]], queries: Sequence[Sequence[Any]]
) -> list[float]:
    """Times several functions in turns, so that a busy machine slows all alike.

    Args:
        functions: Each takes one query.
        queries: Those of each function, equally many.

    Returns:
        Median of each, see `median_ms`.
    """
    for function, own in zip(functions, queries, strict=True):
        for query in own[:_WARM_UP]:
            function(query)
    seconds: list[list[float]] = [[] for _ in functions]
    for turn in zip(*queries, strict=True):
        for function, query, measured in zip(functions, turn, seconds, strict=True):
            start = time.perf_counter()
            function(query)
            measured.append(time.perf_counter() - start)
    return [statistics.median(measured) * 1e3 for measured in seconds]


def held_bytes(thing: Any) -> int:
    """Returns the bytes of all arrays that an object of this project refers to.

    Memory-mapped arrays count in whole; arrays that share their memory count once.
    """
    found: dict[int, int] = {}
    _collect(thing, found, set())
    return sum(found.values())


def index_bytes(index: SearchIndex) -> int:
    """Returns the bytes of a database and of what an index makes of it."""
    if index.is_exact:
        return held_bytes(index)
    with tempfile.TemporaryDirectory(prefix="vpr_tf_methods_") as folder:
        index.write(Path(folder))
        files = sum(path.stat().st_size for path in Path(folder).rglob("*"))
    return files + held_bytes(index.descriptors)


class Resident:
    """By how much the memory of the process grew.

    Attributes:
        bytes: Growth of the resident set; NaN where the system does not tell.
    """

    def __init__(self) -> None:
        self.bytes = float("nan")


@contextlib.contextmanager
def resident_growth() -> Iterator[Resident]:
    """Measures what is loaded and used inside; freed memory is given back before."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    measured, before = Resident(), _resident_bytes()
    yield measured
    measured.bytes = _resident_bytes() - before


def _resident_bytes() -> float:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return float("nan")
    [kib] = [line.split()[1] for line in lines if line.startswith("VmRSS:")]
    return float(kib) * 1024


def _collect(thing: Any, found: dict[int, int], seen: set[int]) -> None:
    if id(thing) in seen:
        return
    seen.add(id(thing))
    if isinstance(thing, np.ndarray):
        address = thing.__array_interface__["data"][0]
        found[address] = max(found.get(address, 0), thing.nbytes)
        return
    if isinstance(thing, dict):
        parts = list(thing.values())
    elif isinstance(thing, list | tuple):
        parts = list(thing)
    elif type(thing).__module__.startswith("vpr_tf."):
        parts = list(getattr(thing, "__dict__", {}).values())
    else:
        return
    for part in parts:
        _collect(part, found, seen)
