"""The worker processes on the machines of a cluster, as machines come and go."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from vpr_tf.cluster.errors import ClusterError
from vpr_tf.cluster.head import HeadWatch
from vpr_tf.cluster.remote_worker import MachineCheck, RemoteWorker
from vpr_tf.worker_pool import WorkerError

_LOOK_EVERY_S = 5.0
_MOST_FAILED_STARTS = 3  # of a machine, one after another
_SAY_WAITING_AFTER_S = 20.0
_NO_MACHINE_AFTER_S = 60.0


@dataclasses.dataclass(frozen=True, eq=False)
class WorkerSetup:
    """What each worker holds, and how much of a machine it takes.

    Attributes:
        hold: Makes what the functions get as their first argument; None for nothing.
        arguments: Of `hold`; what `ray.put` returned is given as the value.
        is_large: Takes a GPU where the cluster has some, else a whole machine; else it
            takes a processor.
    """

    hold: Callable[..., Any] | None = None
    arguments: tuple[Any, ...] = ()
    is_large: bool = False


@dataclasses.dataclass(eq=False)
class Worker:
    """One process.

    Attributes:
        actor: Ray's handle of it.
        node: Id of its machine.
        host: Its name.
        started: What tells of its start; None once it has.
        num_running: Units that it was given and has not returned.
    """

    actor: Any
    node: str
    host: str
    started: Any
    num_running: int = 0


class WorkerGroup:
    """Workers of one setup on all machines of the cluster.

    Args:
        setup: What they hold.
    """

    def __init__(self, setup: WorkerSetup) -> None:
        self.setup = setup
        self.workers: list[Worker] = []
        self._failed: Counter[str] = Counter()
        self._check = MachineCheck.of_this()
        self._head = HeadWatch()
        # Where there are GPUs, processors would compute other last digits.
        self._on_gpus = setup.is_large and any(gpus_of(n) for n in alive_nodes())
        self._begin = self._looked = time.monotonic()
        self._said = False
        self._look()

    @property
    def ready(self) -> list[Worker]:
        """Those that have started."""
        return [worker for worker in self.workers if worker.started is None]

    def starting(self) -> dict[Any, Worker]:
        """Returns those that have not, by what tells of it."""
        return {w.started: w for w in self.workers if w.started is not None}

    def look(self) -> None:
        """Starts workers on machines that have joined, now and then.

        Raises:
            ClusterError: There has been no machine for long, or the head is gone.
        """
        if not self._head.require():
            return
        if time.monotonic() - self._looked > _LOOK_EVERY_S:
            self._look()
        if self.ready:
            self._begin = time.monotonic()
            return
        waited_s = time.monotonic() - self._begin
        what = "a GPU" if self._on_gpus else "a processor"
        if not self.workers and waited_s > _NO_MACHINE_AFTER_S:
            raise ClusterError(
                f"No machine of the cluster has {what}. `ray status` shows them; add "
                "one by `ray start --address=HOST:6379`. The same command continues."
            )
        if waited_s > _SAY_WAITING_AFTER_S and not self._said:
            print(
                f"Waiting for workers of the cluster, each of which takes {what}; "
                "`ray status` shows what is in use.",
                file=sys.stderr,
            )
            self._said = True

    def has_started(self, worker: Worker) -> None:
        """Takes note of a worker whose `started` has come.

        Raises:
            ClusterError: Its machine cannot do the work.
            WorkerError: Workers die at their start there.
        """
        try:
            error = ray.get(worker.started)
        except ray.exceptions.RayError as died:
            self.drop(worker)
            if "ModuleNotFoundError" in str(died):
                raise ClusterError(
                    f"{worker.host} lacks vpr_tf. Install the same on all machines."
                ) from died
            self._failed[worker.node] += 1
            if self._failed[worker.node] >= _MOST_FAILED_STARTS:
                raise WorkerError(
                    f"Workers die at their start on {worker.host}, most likely for "
                    "lack of memory. Run the same command again to continue, without "
                    "that machine."
                ) from died
            return
        if error is not None:
            raise error
        worker.started = None
        self._failed[worker.node] = 0

    def drop(self, worker: Worker) -> None:
        """Ends a worker that is lost, if it is not."""
        if worker in self.workers:
            self.workers.remove(worker)
            ray.kill(worker.actor)

    def close(self) -> None:
        """Ends all workers."""
        for worker in list(self.workers):
            self.drop(worker)

    def _look(self) -> None:
        self._looked = time.monotonic()
        here = Counter(worker.node for worker in self.workers)
        for node in alive_nodes():
            node_id = node["NodeID"]
            for resources in list(self._shares(node))[here[node_id] :]:
                self.workers.append(self._start(node, resources))

    def _shares(self, node: dict[str, Any]) -> Iterator[dict[str, float]]:
        """Yields what each worker of a machine takes of it."""
        processors, gpus = int(node["Resources"].get("CPU", 0)), gpus_of(node)
        if not self.setup.is_large:
            for _ in range(processors):
                yield {"num_cpus": 1}
        elif self._on_gpus:
            for _ in range(gpus):
                yield {"num_gpus": 1, "num_cpus": processors // gpus}
        elif processors:
            yield {"num_cpus": processors}

    def _start(self, node: dict[str, Any], resources: dict[str, float]) -> Worker:
        place = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        remote = ray.remote(RemoteWorker)
        actor: Any = remote.options(scheduling_strategy=place, **resources).remote()
        setup = self.setup
        # Ray gives values for what `ray.put` returned only in the first level.
        started = actor.start.remote(self._check, setup.hold, *setup.arguments)
        return Worker(actor, node["NodeID"], node["NodeManagerHostname"], started)


def alive_nodes() -> list[dict[str, Any]]:
    """Returns what Ray says of the machines of the cluster."""
    return [node for node in ray.nodes() if node["Alive"]]


def gpus_of(node: dict[str, Any]) -> int:
    """Returns how many GPUs a machine has."""
    return int(node["Resources"].get("GPU", 0))
