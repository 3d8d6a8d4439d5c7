import numpy as np
import pytest

from vpr_tf.place_index.tuning import timing
from vpr_tf.search import ExactIndex


class CountingIndex(ExactIndex):
    calls: list

    def search(self, queries, k, *, rows=None):
        self.calls.append(len(queries))
        return super().search(queries, k, rows=rows)


def counting(calls):
    index = CountingIndex.build(np.eye(8, dtype=np.float32))
    index.calls = calls
    return index


@pytest.mark.parametrize("seconds_per_round", [0.0, 0.05])
def test_all_indexes_are_timed_in_turns(seconds_per_round):
    order, told = [], []
    indexes = [counting(order), counting(order)]
    queries = np.ones((40, 8), np.float32)
    times = timing.time_searches(
        indexes, queries, 3, told.append, seconds_per_round=seconds_per_round
    )
    assert told == [f"timing, round {n} of 3" for n in (1, 2, 3)]
    for found in times:
        assert len(found.queries_per_s) == 3
        # Even without time, every round has some single queries.
        assert 30 <= len(found.single_s) <= 40
        assert 0 < found.percentile_ms(50) <= found.percentile_ms(95)
        assert found.best_queries_per_s == max(found.queries_per_s) > 0
    # Batches of both indexes in every round.
    assert order.count(40) >= 2 * 2 * 3


def test_few_queries_can_be_timed():
    queries = np.ones((3, 8), np.float32)
    [found] = timing.time_searches([counting([])], queries, 1, seconds_per_round=0.01)
    assert len(found.single_s) == 3


def test_many_queries_are_searched_in_batches():
    calls = []
    queries = np.ones((2 * timing.BATCH_QUERIES + 9, 8), np.float32)
    timing.time_searches([counting(calls)], queries, 1, seconds_per_round=0.0)
    assert max(calls) == timing.BATCH_QUERIES
