"""Times searches so that a busy machine disturbs all settings alike."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from vpr_tf.retrieval.index import Index

_ROUNDS = 3
SECONDS_PER_ROUND = 1.0
_MIN_SINGLE_PER_ROUND = 10
_WARM_UP_QUERIES = 5


@dataclass
class SearchTimes:
    """Times of one index.

    Attributes:
        single_s: Of one query each.
        queries_per_s: Of batches.
    """

    single_s: list[float] = field(default_factory=list)
    queries_per_s: list[float] = field(default_factory=list)

    def percentile_ms(self, percent: float) -> float:
        """Returns a percentile of the times of single queries, milliseconds."""
        return float(np.percentile(self.single_s, percent) * 1000)


def time_searches(
    indexes: list[Index],
    queries: np.ndarray,
    k: int,
    progress: Callable[[str], None] = lambda text: None,
    *,
    seconds_per_round: float = SECONDS_PER_ROUND,
) -> list[SearchTimes]:
    """Times all indexes in turns, several rounds.

    Queries alone are searched on one thread, as a server with many clients would;
    batches on all cores.

    Args:
        indexes: What to time.
        queries: Descriptors `(num_queries, descriptor_dim)`.
        k: Neighbours a query.
        progress: Told of each round.
        seconds_per_round: About how long batches of one index take in a round, and
            at most how long single queries do.
    """
    from threadpoolctl import threadpool_limits

    times = [SearchTimes() for _ in indexes]
    for number in range(_ROUNDS):
        progress(f"timing, round {number + 1} of {_ROUNDS}")
        for index, found in zip(indexes, times, strict=True):
            found.queries_per_s.append(
                _batch_speed(index, queries, k, seconds_per_round)
            )
            with threadpool_limits(1):
                part = queries[number::_ROUNDS]
                found.single_s += _single_times(index, part, k, seconds_per_round)
    return times


def _batch_speed(index: Index, queries: np.ndarray, k: int, seconds: float) -> float:
    """Queries/s of all queries at once, or of a part where these take too long."""
    part = queries[: max(1, len(queries) // 4)]
    spent = _seconds(index, part, k)
    whole = spent * len(queries) / len(part)
    if whole > seconds:
        return len(part) / spent
    repeats = max(1, int(seconds / 2 / max(whole, 1e-9)))
    repeats = min(repeats, 100)
    spent = sum(_seconds(index, queries, k) for _ in range(repeats))
    return repeats * len(queries) / spent


def _single_times(
    index: Index, queries: np.ndarray, k: int, seconds: float
) -> list[float]:
    for row in range(min(_WARM_UP_QUERIES, len(queries))):
        index.search(queries[row : row + 1], k)
    times: list[float] = []
    for row in range(len(queries)):
        times.append(_seconds(index, queries[row : row + 1], k))
        if sum(times) > seconds and len(times) >= _MIN_SINGLE_PER_ROUND:
            break
    return times


def _seconds(index: Index, queries: np.ndarray, k: int) -> float:
    started = time.perf_counter()
    index.search(queries, k)
    return time.perf_counter() - started
