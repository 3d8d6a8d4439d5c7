"""Sees that the head of the cluster is there: without it Ray ends this process."""

from __future__ import annotations

import socket
import time

import ray

from vpr_tf.cluster.errors import ClusterError

_LOOK_EVERY_S = 5.0
_GONE_AFTER_S = 15.0  # Ray ends the process after 60
_CONNECT_WITHIN_S = 3.0


class HeadWatch:
    """Connects to the head now and then."""

    def __init__(self) -> None:
        self._address = ray.get_runtime_context().gcs_address
        self._looked = self._seen = time.monotonic()

    def require(self) -> bool:
        """Returns whether the head was there when it was looked for last.

        Raises:
            ClusterError: It has been gone for long.
        """
        if time.monotonic() - self._looked > _LOOK_EVERY_S:
            self._look()
        if self._looked - self._seen > _GONE_AFTER_S:
            raise ClusterError(
                f"The head of the cluster at {self._address} is gone, and with it the "
                "cluster. Start it again by `ray start --head`; the same command "
                "continues."
            )
        return self._seen == self._looked

    def _look(self) -> None:
        self._looked = time.monotonic()
        host, _, port = self._address.rpartition(":")
        try:
            with socket.create_connection(
                (host.strip("[]"), int(port)), _CONNECT_WITHIN_S
            ):
                self._seen = self._looked
        except OSError:
            return
