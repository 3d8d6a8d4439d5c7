"""Worker processes for units of work: of this machine, or of the cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, TypeVar

from vpr_tf.cluster.connection import chosen_cluster
from vpr_tf.worker_pool import WorkerPool

_Result = TypeVar("_Result")


class Workers(Protocol):
    """Processes that map functions over units of work."""

    def map_in_order(
        self,
        function: Callable[..., _Result],
        tasks: Iterable[tuple[Any, ...]],
        sees: Sequence[Path] = (),
    ) -> Iterator[_Result]:
        """Yields `function(*task)` for every task, in the order of the tasks.

        Only a few tasks are taken ahead, and as many results wait, so that memory is
        bounded. A task may be done twice: it must come to the same both times.

        Args:
            function: Of a module.
            tasks: Its arguments, each of one unit.
            sees: Files that every machine must see as this one does; only those that
                are there count.

        Raises:
            WorkerError: Workers died at a task, most likely for lack of memory.
            ClusterError: A machine lacks a file of `sees`.
        """

    def __enter__(self) -> Workers: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


def open_workers(workers: int, setting: str, preload: Sequence[str] = ()) -> Workers:
    """Returns workers: one a processor of the cluster of `using_cluster`, if any.

    Args:
        workers: Number of processes on this machine; a cluster has its own.
        setting: What the user sets their number by, such as `build.workers`.
        preload: Modules of the functions, so that they are imported once.
    """
    cluster = chosen_cluster()
    if cluster is not None:
        return cluster.workers()
    return WorkerPool(workers, setting, preload)
