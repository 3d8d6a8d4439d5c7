"""Times searches so that a busy machine disturbs all settings alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from vpr_tf.search import SearchIndex

_ROUNDS = 3
SECONDS_PER_ROUND = 1.0
BATCH_QUERIES = 256
_MIN_BATCHES, _MAX_BATCHES = 2, 100
_MIN_SINGLE = 10
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
        progress: Called with each round.
        seconds_per_round: How long to go on with batches of one index in a round, and
            with single queries.
    """
    from threadpoolctl import threadpool_limits

    starts = range(0, max(1, len(queries) - BATCH_QUERIES + 1), BATCH_QUERIES)
    batches = [queries[start : start + BATCH_QUERIES] for start in starts]
    batches = [batches[number % len(batches)] for number in range(_MAX_BATCHES)]
    times = [SearchTimes() for _ in indexes]
    for number in range(_ROUNDS):
        progress(f"timing, round {number + 1} of {_ROUNDS}")
        singles = [row[None] for row in queries[number::_ROUNDS]]
        for index, found in zip(indexes, times, strict=True):
            taken = _timed(index, batches, k, seconds_per_round, _MIN_BATCHES)
            found.queries_per_s.append(max(len(b) / s for b, s in taken))
            with threadpool_limits(1):
                for one in singles[:_WARM_UP_QUERIES]:
                    index.search(one, k)
                taken = _timed(index, singles, k, seconds_per_round, _MIN_SINGLE)
                found.single_s += [seconds for _, seconds in taken]
    return times


def _timed(
    index: SearchIndex, parts: list[np.ndarray], k: int, seconds: float, at_least: int
) -> Iterator[tuple[np.ndarray, float]]:
    """Yields parts and the time of their search until the time is over."""
    spent = 0.0
    for number, part in enumerate(parts):
        started = time.perf_counter()
        index.search(part, k)
        taken = time.perf_counter() - started
        yield part, taken
        spent += taken
        if spent > seconds and number + 1 >= at_least:
            return
