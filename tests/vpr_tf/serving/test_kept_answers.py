"""Answers are computed once for each state, and a bounded amount is kept."""

import asyncio
import threading
from types import SimpleNamespace

import pytest

from vpr_tf.serving.kept_answers import KeptAnswers
from vpr_tf.serving.problems import ProblemError

FIRST, SECOND = SimpleNamespace(manifest=object()), SimpleNamespace(manifest=object())


class Maker:
    """Gives bytes, and counts how often."""

    def __init__(self, num_bytes=10):
        self.calls, self._num_bytes = 0, num_bytes

    def __call__(self):
        self.calls += 1
        return b"a" * self._num_bytes


def test_one_computation_for_all_who_ask_until_the_state_changes():
    async def run():
        kept, make = KeptAnswers(10), Maker()
        await asyncio.gather(*(kept.get(FIRST, "a", make) for _ in range(9)))
        await kept.get(FIRST, "a", make)
        assert make.calls == 1
        await kept.get(SECOND, "a", make)
        await kept.get(SECOND, "a", make)
        assert make.calls == 2

    asyncio.run(run())


def test_what_fails_is_told_and_not_kept():
    async def run():
        kept = KeptAnswers(10)
        for _ in range(2):
            with pytest.raises(KeyError):
                await kept.get(FIRST, "a", {}.popitem)
        assert await kept.get(FIRST, "a", Maker(1)) == b"a"

    asyncio.run(run())


def test_bytes_are_bounded_and_the_oldest_go():
    async def run():
        kept, make = KeptAnswers(10, max_bytes=100), Maker(30)
        for what in range(50):
            await kept.get(FIRST, what, make)
        assert kept._num_bytes == 90
        await kept.get(FIRST, 49, make)
        assert make.calls == 50
        large = Maker(60)
        await kept.get(FIRST, "large", large)
        assert kept._num_bytes == 90

    asyncio.run(run())


def test_too_many_computations_are_refused_and_one_who_leaves_ends_none():
    async def run():
        kept, go = KeptAnswers(2), threading.Event()
        tasks = [
            asyncio.create_task(kept.get(FIRST, what, lambda: go.wait(10)))
            for what in range(2)
        ]
        await asyncio.sleep(0)
        with pytest.raises(ProblemError) as refused:
            await kept.get(FIRST, 2, Maker())
        assert refused.value.status == 503
        tasks[0].cancel()
        also = asyncio.create_task(kept.get(FIRST, 0, Maker()))
        await asyncio.sleep(0)
        go.set()
        assert await also is True
        assert await tasks[1] is True

    asyncio.run(run())
