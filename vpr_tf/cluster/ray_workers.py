"""Units of work on a Ray cluster: given out, done again where a machine was lost."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, TypeVar
from weakref import WeakKeyDictionary

import ray

from vpr_tf.cluster.remote_worker import SeenFile, seen_files
from vpr_tf.cluster.worker_group import Worker, WorkerGroup, WorkerSetup
from vpr_tf.worker_pool import WorkerError

_Result = TypeVar("_Result")
_PLAIN = WorkerSetup()
_UNITS_OF_WORKER = 2  # one is done while the next is on its way
_UNITS_AHEAD = 4  # for each worker, of which results may wait for an earlier one
_MOST_TRIES = 4
_WAIT_S = 1.0


class RayCluster:
    """The cluster that this process has joined, and its workers there.

    Workers stay until others are needed, so that an encoder is loaded once.
    """

    def __init__(self) -> None:
        self._group: WorkerGroup | None = None
        self._setups: WeakKeyDictionary[Any, WorkerSetup] = WeakKeyDictionary()

    def setup_for(self, owner: Any, make: Callable[[], WorkerSetup]) -> WorkerSetup:
        """Returns the setup of an object, made when it is first needed."""
        if owner not in self._setups:
            self._setups[owner] = make()
        return self._setups[owner]

    def workers(self, setup: WorkerSetup = _PLAIN) -> RayWorkers:
        """Returns workers that hold something; see `WorkerSetup`."""
        return RayWorkers(self, setup)

    def group_of(self, setup: WorkerSetup) -> WorkerGroup:
        """Returns the processes; those of another setup, which fill machines, end."""
        if self._group is None or self._group.setup is not setup:
            self.close()
            self._group = WorkerGroup(setup)
        return self._group

    def close(self) -> None:
        """Ends the workers."""
        if self._group is not None:
            self._group.close()
        self._group = None


class RayWorkers:
    """Workers of a cluster; see `Workers`.

    Args:
        cluster: Where.
        setup: What they hold: the first argument of the functions, if it is not empty.
    """

    def __init__(self, cluster: RayCluster, setup: WorkerSetup) -> None:
        self._cluster, self._setup = cluster, setup

    def map_in_order(
        self,
        function: Callable[..., _Result],
        tasks: Iterable[tuple[Any, ...]],
        sees: Sequence[Path] = (),
    ) -> Iterator[_Result]:
        """See `Workers`."""
        tasks = iter(tasks)
        first = next(tasks, None)
        if first is None:
            return  # without starting anything
        group = self._cluster.group_of(self._setup)
        mapping = _Mapping(group, function, tasks, seen_files(sees))
        mapping.add(first)
        try:
            yield from mapping.results()
        finally:
            if mapping.is_running:
                self._cluster.close()  # what they still do is not wanted

    def __enter__(self) -> RayWorkers:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self._cluster.close()


class _Unit(NamedTuple):
    number: int
    task: tuple[Any, ...]


class _Mapping:
    """One function over the units of its tasks."""

    def __init__(
        self,
        group: WorkerGroup,
        function: Callable[..., Any],
        tasks: Iterator[tuple[Any, ...]],
        sees: tuple[SeenFile, ...],
    ) -> None:
        self._group, self._function = group, function
        self._tasks, self._sees = tasks, sees
        self._waiting: deque[_Unit] = deque()
        self._running: dict[Any, tuple[_Unit, Worker]] = {}
        self._results: dict[int, Any] = {}
        self._tries: Counter[int] = Counter()
        self._num_taken = self._num_given = 0

    def add(self, task: tuple[Any, ...]) -> None:
        """Takes a task as the next unit."""
        self._waiting.append(_Unit(self._num_taken, task))
        self._num_taken += 1

    @property
    def is_running(self) -> bool:
        """Whether workers are at units."""
        return bool(self._running)

    def results(self) -> Iterator[Any]:
        """Yields the results in order."""
        while True:
            while self._num_given in self._results:
                yield self._results.pop(self._num_given)
                self._num_given += 1
            self._give_out()
            if not self._running and not self._waiting:
                return
            self._wait()

    def _give_out(self) -> None:
        """Gives each worker what it may have; the earliest units first."""
        ready = self._group.ready
        for _ in range(_UNITS_OF_WORKER):
            for worker in sorted(ready, key=lambda worker: worker.num_running):
                if worker.num_running >= _UNITS_OF_WORKER:
                    continue
                unit = self._next_unit(len(ready))
                if unit is None:
                    return
                self._give(worker, unit)

    def _next_unit(self, num_workers: int) -> _Unit | None:
        if not self._waiting:
            ahead = self._num_taken - self._num_given
            is_full = ahead >= num_workers * _UNITS_AHEAD
            task = None if is_full else next(self._tasks, None)
            if task is None:
                return None
            self.add(task)
        return self._waiting.popleft()

    def _give(self, worker: Worker, unit: _Unit) -> None:
        name = f"{_name(self._function)} {unit.number}"
        run = worker.actor.run.options(name=name)
        result = run.remote(self._sees, self._function, unit.task)
        self._running[result] = unit, worker
        worker.num_running += 1

    def _wait(self) -> None:
        """Waits for a worker that has started, or for a result."""
        starting = self._group.starting()
        waited_for = [*self._running, *starting]
        if waited_for:
            came, _ = ray.wait(waited_for, num_returns=1, timeout=_WAIT_S)
        else:
            time.sleep(_WAIT_S)
            came = []
        for one in came:
            if one in starting:
                self._group.has_started(starting[one])
            else:
                self._take(one)
        self._group.look()

    def _take(self, result: Any) -> None:
        unit, worker = self._running.pop(result)
        worker.num_running -= 1
        try:
            value, error = ray.get(result)
        except ray.exceptions.RayTaskError:
            raise  # nothing of the machine: what it returned cannot be sent
        except ray.exceptions.RayError as lost:
            self._lose(unit, worker, lost)
            return
        if error is not None:
            raise error
        self._results[unit.number] = value

    def _lose(self, unit: _Unit, worker: Worker, lost: Exception) -> None:
        """Lets another worker do a unit again."""
        self._group.drop(worker)
        self._tries[unit.number] += 1
        if self._tries[unit.number] >= _MOST_TRIES:
            raise WorkerError(
                f"Workers of the cluster were killed {_MOST_TRIES} times at the unit "
                f"{_name(self._function)} {unit.number}, last on {worker.host}, most "
                "likely for lack of memory. Run the same command again to continue, "
                "with fewer processors on each machine (`ray start --num-cpus=N`)."
            ) from lost
        self._waiting.append(unit)
        self._waiting = deque(sorted(self._waiting))


def _name(function: Callable[..., Any]) -> str:
    function = getattr(function, "func", function)
    return str(getattr(function, "__name__", "unit"))
