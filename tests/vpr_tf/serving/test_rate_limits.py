"""Token buckets, of one process and of several."""

import multiprocessing
import time

import pytest

from vpr_tf.serving.key_file import MOST_KEYS, Key
from vpr_tf.serving.rate_limits import RateLimits


def key(name="a", rate=60.0):
    return Key(name, "query", "0" * 64, rate, "2026-01-01T00:00:00+00:00")


def test_bucket_empties_and_fills():
    limits = RateLimits()
    assert limits.take(key(), 60, now_s=100.0) == 0
    assert limits.take(key(), 1, now_s=100.0) == pytest.approx(1)
    assert limits.take(key("b"), 1, now_s=100.0) == 0
    assert limits.take(key(), 1, now_s=100.5) == pytest.approx(0.5)
    assert limits.take(key(), 1, now_s=101.0) == 0
    assert limits.take(key(), 60, now_s=10_000.0) == 0
    assert limits.take(key(), 1, now_s=10_000.0) > 0  # never more than a bucket


def test_larger_request_than_the_bucket_passes_and_leaves_a_debt():
    limits, slow = RateLimits(), key(rate=6)
    assert limits.take(slow, 20, now_s=0.0) == 0
    assert limits.take(slow, 1, now_s=140.0) > 0
    assert limits.take(slow, 1, now_s=151.0) == 0


def test_request_that_may_not_pass_takes_nothing():
    limits, slow = RateLimits(), key(rate=6)
    assert limits.take(slow, 0.05, least=1, now_s=0.0) == 0
    assert limits.take(slow, 20, given_back=0.05, now_s=0.0) == 0
    assert limits.take(slow, 0.05, least=1, now_s=140.0) == pytest.approx(10)
    assert limits.take(slow, 0.05, least=1, now_s=150.0) == 0
    assert limits.take(slow, 2, given_back=0.05, now_s=150.0) == pytest.approx(10)
    assert limits.take(slow, 1, now_s=150.0) == 0


def test_clock_that_steps_back_fills_nothing():
    limits = RateLimits()
    limits.take(key(), 60, now_s=100.0)
    assert limits.take(key(), 1, now_s=0.0) > 0


def test_former_keys_make_room(tmp_path):
    limits = RateLimits(tmp_path)
    for number in range(5 * MOST_KEYS):
        assert limits.take(key(str(number)), 1, now_s=float(number)) == 0
    [file] = tmp_path.iterdir()
    assert file.stat().st_size < 100_000
    assert file.stat().st_mode & 0o777 == 0o600


def _take_all(folder, start, taken):
    limits = RateLimits(folder)
    start.wait()
    taken.put(sum(limits.take(key(rate=600), 1) == 0 for _ in range(2000)))


def test_several_processes_together_take_no_more_than_the_bucket(tmp_path):
    context = multiprocessing.get_context("spawn")
    start, taken = context.Barrier(4), context.Queue()
    others = [
        context.Process(target=_take_all, args=(tmp_path, start, taken))
        for _ in range(4)
    ]
    began_s = time.monotonic()
    for other in others:
        other.start()
    total = sum(taken.get() for _ in others)
    for other in others:
        other.join()
    assert 600 <= total <= 600 + 10 * (time.monotonic() - began_s) + 1
