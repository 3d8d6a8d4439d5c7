"""A Ray cluster of two machines, which are processes of this one."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from vpr_tf.photos import InvalidEntryError

ROOT = Path(__file__).resolve().parents[1]
_MOST_STARTS = 3
_OBJECT_STORE_BYTES = 80 << 20
_HEALTH = {  # a machine that is gone is noticed in two seconds
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 1000,
    "health_check_timeout_ms": 10000,
    "health_check_failure_threshold": 2,
}


def _title(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


class TwoMachines:
    """The head and another machine, each of so many processors.

    Attributes:
        address: Of the head.
        other: The other machine.
    """

    def __init__(self, num_cpus: int = 1) -> None:
        from ray.cluster_utils import Cluster

        self._machine = {
            "num_cpus": num_cpus,
            "object_store_memory": _OBJECT_STORE_BYTES,
        }
        head = {"include_dashboard": False, "_system_config": _HEALTH}
        self._cluster = Cluster(
            initialize_head=True, head_node_args={**self._machine, **head}
        )
        self.address = self._cluster.address
        self.other = None
        self.add_machine()

    def add_machine(self) -> None:
        """Adds the other machine, if it is not there."""
        if self.other is None:
            self.other = self._cluster.add_node(**self._machine)

    def pids_of_other(self) -> list[int]:
        """Returns all processes of the other machine."""
        pids = []
        for processes in self.other.all_processes.values():
            for info in processes:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process = psutil.Process(info.process.pid)
                    children = process.children(recursive=True)
                    pids += [p.pid for p in (process, *children)]
        return pids

    def kill_other_at(self, function: str, within_s: float = 60) -> None:
        """Kills the other machine while one of its workers does a unit of a function.

        What a worker does Ray writes into its title.
        """
        end = time.monotonic() + within_s
        pids, looked = [], 0.0
        while time.monotonic() < end:
            if time.monotonic() - looked > 0.5:
                pids, looked = self.pids_of_other(), time.monotonic()
            if any(_title(pid).startswith(f"ray::{function} ") for pid in pids):
                self.kill_other()
                return
            time.sleep(0.001)

    def kill_other(self) -> None:
        """Ends all processes of the other machine at once, as a power cut does."""
        for pid in self.pids_of_other():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._cluster.remove_node(self.other, allow_graceful=False)
        self.other = None

    def shutdown(self) -> None:
        """Ends the cluster."""
        self._cluster.shutdown()


def _started(num_cpus: int) -> TwoMachines:
    """Starts it; a busy machine may be too slow for Ray's own limit of 30 s."""
    for _ in range(_MOST_STARTS):
        try:
            return TwoMachines(num_cpus)
        except RuntimeError as error:
            reason = str(error)
            if "Timed out" not in reason:
                raise
    pytest.skip(f"Ray does not start here: {reason}")


@contextlib.contextmanager
def two_machines(num_cpus: int = 1) -> Iterator[TwoMachines]:
    """Starts a cluster, and ends it whatever happens."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    path = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = f"{ROOT}{os.pathsep}{path}" if path else str(ROOT)
    machines = None
    try:
        machines = _started(num_cpus)
        yield machines
    finally:
        if machines is not None:
            machines.shutdown()
        if path is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = path


def slow_square(number: int) -> int:
    """A unit of which some take longer than those after them."""
    time.sleep(0.05 * (number % 3))
    return number * number


def refuse(number: int) -> int:
    """A unit that cannot be done."""
    raise InvalidEntryError(f"{number} cannot be")


def die(number: int) -> int:
    """A unit that ends its worker, as too little memory does."""
    os.kill(os.getpid(), signal.SIGKILL)
    return number
