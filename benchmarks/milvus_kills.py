"""Kills a Milvus server during each change of an index that is searched by it.

    python -m benchmarks.milvus_kills [--every 1] [--only create compact]

Before each call to the server that a change makes, the server is ended by `kill -9`.
The change must fail with one error or not need the server any more. After the server
was started again, the index must be in the old or the new state with its answers in
every bit, `verify` must find nothing, and the same change, made again, must succeed.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.index_kills import KillCampaign, WrongStateError
from benchmarks.index_samples import CHANGES, create, make_batch
from benchmarks.milvus_server import MilvusProcess
from vpr_tf.milvus_address import URI_VARIABLE
from vpr_tf.search import RetrievalError, milvus_client

_LONGEST_FAILURE_S = 60.0


def main(arguments: list[str] | None = None) -> None:
    """Runs the campaign and prints its counts."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--every", type=int, default=1, help="calls from kill to kill")
    parser.add_argument("--only", nargs="+", choices=CHANGES, default=list(CHANGES))
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="vpr_tf_milvus_kills_") as folder:
        server = MilvusProcess(Path(folder) / "server")
        try:
            os.environ[URI_VARIABLE] = server.uri
            campaign = MilvusKillCampaign(Path(folder), server)
            for name in options.only:
                kills = campaign.kill_at_steps(name, options.every)
                print(f"{name}: {kills} kills", flush=True)
        finally:
            server.stop()
    print(f"longest time to the error: {campaign.longest_failure_s:.1f} s")
    for outcome, count in sorted(campaign.outcomes.items()):
        print(f"{outcome}: {count}")


def milvus_changes(uri: str) -> dict[str, Callable[[Path], object]]:
    """Returns the changes of an index whose photos are in a collection of a server."""

    def make(folder: Path) -> object:
        settings = {"uri": uri}
        return create(folder, *make_batch(40), kind="milvus", settings=settings)

    return {**CHANGES, "create": make}


class MilvusKillCampaign(KillCampaign):
    """Kills the server, not the change, and looks at what is left.

    Args:
        folder: Scratch folder.
        server: Whose address is given to the process.

    Attributes:
        longest_failure_s: Of all changes, from their start to their error.
    """

    def __init__(self, folder: Path, server: MilvusProcess) -> None:
        self._server = server
        self.longest_failure_s = 0.0
        super().__init__(folder, milvus_changes(server.uri))

    def kill_at_call(self, name: str, call: int) -> bool:
        """Kills the server before the given call; returns whether there was one."""
        self._restore(name)
        killer = _Killer(self._server, call)
        started = time.monotonic()
        with killer.watching():
            try:
                self._changes[name](self._work)
            except RetrievalError:
                self.longest_failure_s = max(
                    self.longest_failure_s, time.monotonic() - started
                )
        if self.longest_failure_s > _LONGEST_FAILURE_S:
            raise WrongStateError(f"{name} ended after {self.longest_failure_s:.0f} s")
        if killer.has_killed:
            self._server.restart()
        self._check(name)
        return killer.has_killed

    def _trial(
        self,
        name: str,
        step: int | None,
        wait_s: float | None,
        *,
        by_line: bool = False,
    ) -> bool:
        if step is None or wait_s is not None or by_line:
            raise ValueError("A server is killed before a call. Received: no call")
        return self.kill_at_call(name, step)


class _Killer:
    """Counts the calls of clients, and kills the server before one of them."""

    def __init__(self, server: MilvusProcess, call: int) -> None:
        self._server = server
        self._left = call
        self.has_killed = False

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        connect = milvus_client.connect

        def watched(uri: str) -> Any:
            self.count()
            return _WatchedClient(connect(uri), self)

        milvus_client.connect = watched
        try:
            yield
        finally:
            milvus_client.connect = connect

    def count(self) -> None:
        self._left -= 1
        if self._left == 0:
            self._server.kill()
            self.has_killed = True


class _WatchedClient:
    def __init__(self, client: Any, killer: _Killer) -> None:
        self._client = client
        self._killer = killer

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)

        def call(*arguments: Any, **options: Any) -> Any:
            self._killer.count()
            return found(*arguments, **options)

        return call


if __name__ == "__main__":
    main()
