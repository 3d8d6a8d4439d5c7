import itertools
import os
import signal
import time

import pytest

from vpr_tf.worker_pool import WorkerError, WorkerPool


def slow_square(number: int) -> int:
    time.sleep(0.02 * (number % 3))
    return number * number


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_results_come_in_order_from_endless_tasks():
    with WorkerPool(2, "build.workers") as pool:
        results = pool.map_in_order(slow_square, ((i,) for i in itertools.count()))
        assert list(itertools.islice(results, 20)) == [i * i for i in range(20)]


def test_killed_worker_is_a_clear_error():
    with (
        pytest.raises(WorkerError, match=r"was killed.*build\.workers=1"),
        WorkerPool(1, "build.workers") as pool,
    ):
        list(pool.map_in_order(die, [()]))
