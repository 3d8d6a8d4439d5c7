"""Which Ray cluster does the work, where the user says so.

As in `engine_choice`: a dozen functions lie between the command line and the work, so
that it is no argument of all of them. Ray is imported when a cluster is named.
"""

from __future__ import annotations

import contextlib
import contextvars
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from vpr_tf.cluster.errors import ClusterError
from vpr_tf.extras import import_extra

if TYPE_CHECKING:
    from vpr_tf.cluster.ray_workers import RayCluster

AUTO = "auto"
_ANSWER_WITHIN_S = 30.0
_START = (
    "Start it by `ray start --head` on one machine, and by `ray start --address="
    "HOST:6379` on the others and on this one."
)
# Of a cluster that does not answer Ray ends the process: it is tried in another one.
_TRY = "import sys, ray; ray.init(sys.argv[1], log_to_driver=False); ray.shutdown()"
_cluster: contextvars.ContextVar[RayCluster | None] = contextvars.ContextVar(
    "cluster", default=None
)


@contextlib.contextmanager
def using_cluster(address: str | None = None) -> Iterator[None]:
    """Builds datasets, checks photos and computes descriptors on a Ray cluster.

    This holds for the thread that enters the block. The results are those of this
    machine alone, byte for byte, where the machines are alike.

    Args:
        address: `HOST:PORT` of the head; `auto` for the cluster that this machine is
            in; None changes nothing.

    Raises:
        ClusterError: There is no cluster, or it does not answer.
        ImportError: Ray is not installed.

    Example:
        >>> import vpr_tf as vpr
        >>> with vpr.using_cluster("auto"):  # doctest: +SKIP
        ...     result = vpr.evaluate("runs/city/2026-11-21_15-31-43", "datasets/city")
    """
    if address is None:
        yield
        return
    with _joined(address):
        from vpr_tf.cluster.ray_workers import RayCluster

        cluster = RayCluster()
        token = _cluster.set(cluster)
        try:
            yield
        finally:
            _cluster.reset(token)
            cluster.close()


def chosen_cluster() -> RayCluster | None:
    """Returns the cluster that the user has named for what is done now."""
    return _cluster.get()


def check_address(text: str) -> str:
    """Returns the address of a cluster.

    Raises:
        ValueError: It is none.
    """
    host, _, port = text.rpartition(":")
    if text == AUTO or (host and "/" not in host and port.isdecimal()):
        return text
    raise ValueError(
        f"A cluster must be given as auto or HOST:PORT, as 10.0.0.1:6379. Received: "
        f"{text!r}"
    )


@contextlib.contextmanager
def _joined(address: str) -> Iterator[None]:
    """Joins a cluster, and leaves it at the end; see `using_cluster`."""
    address = check_address(address)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ray = import_extra("ray", "ray")
    if ray.is_initialized():
        yield  # of who calls this as a library
        return
    _require_answer(address)
    ray.init(address, log_to_driver=False, logging_level="error")
    try:
        yield
    finally:
        ray.shutdown()


def _require_answer(address: str) -> None:
    """Joins a cluster in another process first.

    Raises:
        ClusterError: That fails, or takes too long.
    """
    command = [sys.executable, "-c", _TRY, address]
    try:
        tried = subprocess.run(
            command, capture_output=True, text=True, timeout=_ANSWER_WITHIN_S
        )
    except subprocess.TimeoutExpired:
        reason = f"no answer in {_ANSWER_WITHIN_S:.0f} s"
    else:
        if tried.returncode == 0:
            return
        last = (tried.stderr.strip() or "no reason").splitlines()[-1]
        reason = last.partition("Error: ")[2] or last
    name = "No Ray cluster" if address == AUTO else f"No Ray cluster at {address}"
    raise ClusterError(f"{name}: {reason.rstrip('.')}. {_START}")
