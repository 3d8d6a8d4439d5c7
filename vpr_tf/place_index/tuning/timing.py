"""Times searches so that a busy machine disturbs all settings alike."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from vpr_tf.search import SearchIndex

_ROUNDS = 3
SECONDS_PER_ROUND = 1.0
BATCH_QUERIES = 256
_MIN_BATCHES = 2
_MAX_BATCHES = 100
_MIN_SINGLE_PER_ROUND = 10
_WARM_UP_QUERIES = 5


@dataclass
class SearchTimes:
    """Times of one index.

    Attributes:
        single_s: Of one query each.
        queries_per_s: Of the fastest batch of each round.
    """

    single_s: list[float] = field(default_factory=list)
    queries_per_s: list[float] = field(default_factory=list)

    @property
    def best_queries_per_s(self) -> float:
        """Of the fastest batch: what else runs on a machine can only slow it."""
        return max(self.queries_per_s)

    def percentile_ms(self, percent: float) -> float:
        """Returns a percentile of the times of single queries, milliseconds."""
        return float(np.percentile(self.single_s, percent) * 1000)


def time_searches(
    indexes: list[SearchIndex],
    queries: np.ndarray,
    k: int,
    progress: Callable[[str], None] = lambda text: None,
    *,
    seconds_per_round: float = SECONDS_PER_ROUND,
) -> list[SearchTimes]:
    """Times all indexes in turns, several rounds.

    Queries alone are searched on one thread, as a server with many clients would;
    batches of `BATCH_QUERIES` on all cores.

    Args:
        indexes: What to time.
        queries: Descriptors `(num_queries, descriptor_dim)`.
        k: Neighbours a query.
        progress: Told of each round.
        seconds_per_round: How long to go on with batches of one index in a round, and
            with single queries.
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


def _batch_speed(
    index: SearchIndex, queries: np.ndarray, k: int, seconds: float
) -> float:
    """Queries/s of the fastest batch."""
    starts = range(0, max(1, len(queries) - BATCH_QUERIES + 1), BATCH_QUERIES)
    spent, best = 0.0, 0.0
    for number in range(_MAX_BATCHES):
        start = starts[number % len(starts)]
        batch = queries[start : start + BATCH_QUERIES]
        taken = _seconds(index, batch, k)
        best = max(best, len(batch) / taken)
        spent += taken
        if spent > seconds and number + 1 >= _MIN_BATCHES:
            break
    return best


def _single_times(
    index: SearchIndex, queries: np.ndarray, k: int, seconds: float
) -> list[float]:
    for row in range(min(_WARM_UP_QUERIES, len(queries))):
        index.search(queries[row : row + 1], k)
    times: list[float] = []
    for row in range(len(queries)):
        times.append(_seconds(index, queries[row : row + 1], k))
        if sum(times) > seconds and len(times) >= _MIN_SINGLE_PER_ROUND:
            break
    return times


def _seconds(index: SearchIndex, queries: np.ndarray, k: int) -> float:
    started = time.perf_counter()
    index.search(queries, k)
    return time.perf_counter() - started
