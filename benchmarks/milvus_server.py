"""A Milvus server of one process: to be stopped, killed, paused and started again."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

_START_S = 120.0
_SHORT_SESSION_S = 6
LONG_SESSION_S = 120
MAX_COLLECTIONS = 40


class MilvusProcess:
    """The server of the package `milvus`, on free ports of this machine.

    One at a time: the etcd in it takes the ports 2379 and 2380.

    Args:
        folder: Of its data and its log; made if needed.
        session_s: Its parts end when they could not renew their session for so long,
            as on a busy machine; so long a killed server is taken for alive.

    Raises:
        ImportError: The package is not installed.
        OSError: The server cannot run here, or did not start.
    """

    def __init__(self, folder: Path, session_s: int = _SHORT_SESSION_S) -> None:
        from milvus import MilvusServer, MilvusServerConfig

        config = MilvusServerConfig(data_dir=str(folder))
        # All but etcd's, which listens where it always does.
        names = [
            name
            for name in config.configurable_items
            if name.endswith("_port") and name != "etcd_port"
        ]
        *ports, health_port = _free_ports(len(names) + 1)
        config.update(**dict(zip(names, ports, strict=True)))
        config.set("quotaAndLimits.limits.maxCollectionNum", MAX_COLLECTIONS)
        config.set("common.session.ttl", session_s)
        self._folder = folder
        self._server: Any = MilvusServer(config, wait_for_started=False)
        self._server.webservice_port = health_port
        self._server.start()
        self._wait()

    @property
    def uri(self) -> str:
        """Its address, the same after each start."""
        return f"http://127.0.0.1:{self._server.listen_port}"

    @property
    def log(self) -> str:
        """What it printed."""
        return (self._folder / "logs" / "milvus-stdout.log").read_text(errors="replace")

    def kill(self) -> None:
        """Ends it at once, as by a power cut."""
        self._server.server_proc.kill()
        self._server.server_proc.wait()

    def pause(self) -> None:
        """Lets it hang until `restart`: it takes connections and does not answer."""
        self._server.server_proc.send_signal(signal.SIGSTOP)

    def restart(self) -> None:
        """Ends it, if it runs, and starts it again with the data that it has."""
        self.kill()
        # Not by the package, which refuses ports that were used a moment ago.
        program = Path(self._server.get_milvus_executable_path())
        environment = {
            **os.environ,
            "DEPLOY_MODE": "STANDALONE",
            "METRICS_PORT": str(self._server.webservice_port),
            "MILVUS_RUN_DIR": str(self._folder / "run"),
            "LD_LIBRARY_PATH": str(program.parent),
        }
        self._server.server_proc = subprocess.Popen(
            [program, "run", "standalone"],
            env=environment,
            cwd=self._folder,
            stdout=self._server.proc_fds["stdout"],
            stderr=self._server.proc_fds["stderr"],
        )
        self._wait()

    def stop(self) -> None:
        """Ends it."""
        self._server.stop()

    def _wait(self) -> None:
        url = f"http://127.0.0.1:{self._server.webservice_port}/healthz"
        end = time.monotonic() + _START_S
        while self._server.server_proc.poll() is None and time.monotonic() < end:
            with (
                contextlib.suppress(OSError),
                urllib.request.urlopen(url, timeout=5) as answer,
            ):
                if b"OK" in answer.read():
                    return
            time.sleep(0.1)
        self.stop()
        raise OSError(f"Milvus did not start; see {self._folder / 'logs'}.")


def _free_ports(count: int) -> list[int]:
    """Returns ports that the system chooses."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
