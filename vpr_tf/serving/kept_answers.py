"""Answers about an index that are computed once for each of its states."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, TypeVar

from vpr_tf.place_index import IndexState
from vpr_tf.serving.problems import ProblemError

_Answer = TypeVar("_Answer")
_MAX_BYTES = 64_000_000
_NOMINAL_BYTES = 4_000  # of what is not bytes


@dataclass(frozen=True)
class _Kept:
    manifest: Any
    answer: Any
    num_bytes: int


class KeptAnswers:
    """Computes answers in threads and keeps the last ones.

    Requests for the same answer share one computation; few run at a time, so that
    localizing goes on beside them.

    Args:
        max_pending: Computations that run or wait; more are refused.
        at_a_time: Computations that run.
        max_bytes: Of all that is kept.
    """

    def __init__(
        self, max_pending: int, at_a_time: int = 1, max_bytes: int = _MAX_BYTES
    ) -> None:
        self._max_bytes, self._max_pending = max_bytes, max_pending
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._num_bytes = 0
        self._pending: dict[Hashable, asyncio.Task[Any]] = {}
        self._turn = asyncio.Semaphore(at_a_time)

    async def get(
        self, state: IndexState, what: Hashable, make: Callable[[], _Answer]
    ) -> _Answer:
        """Returns an answer, computed if it is not kept of this state.

        Args:
            state: Of the index.
            what: Names the index, the question and its arguments.
            make: Computes the answer, in a thread. What it raises is raised here, and
                not kept.

        Raises:
            ProblemError: Too much is being computed.
        """
        kept = self._kept.get(what)
        if kept is not None and kept.manifest is state.manifest:
            self._kept.move_to_end(what)
            return kept.answer  # type: ignore[no-any-return]
        key = (what, id(state.manifest))
        task = self._pending.get(key)
        if task is None:
            if len(self._pending) >= self._max_pending:
                raise ProblemError(
                    503, "Too much is being computed.", {"Retry-After": "2"}
                )
            task = asyncio.create_task(self._make(state, what, make))
            self._pending[key] = task
            task.add_done_callback(lambda _: self._pending.pop(key, None))
        # One who leaves does not end it for the others.
        answer: _Answer = await asyncio.shield(task)
        return answer

    async def _make(
        self, state: IndexState, what: Hashable, make: Callable[[], Any]
    ) -> Any:
        async with self._turn:
            answer = await asyncio.to_thread(make)
        is_bytes = isinstance(answer, bytes)
        num_bytes = len(answer) if is_bytes else _NOMINAL_BYTES
        self._forget(what)
        if num_bytes <= self._max_bytes // 2:
            self._kept[what] = _Kept(state.manifest, answer, num_bytes)
            self._num_bytes += num_bytes
        while self._num_bytes > self._max_bytes:
            self._forget(next(iter(self._kept)))
        return answer

    def _forget(self, what: Hashable) -> None:
        kept = self._kept.pop(what, None)
        if kept is not None:
            self._num_bytes -= kept.num_bytes
