"""The log of requests: what was done and how long it took, nothing of what was sent."""

from __future__ import annotations

import logging
import time
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LOG = logging.getLogger(__name__)
_HEALTH = ("/healthz", "/readyz", "/metrics")
_SERVER_ERROR = 500


class RequestLog:
    """Logs method, route, status, duration and id of every request.

    The route is the template, `/v1/indexes/{name}`: no name that was asked for, no
    query, no body.

    Args:
        app: The application.
        logs_clients: Whether to log their addresses, too.
    """

    def __init__(self, app: ASGIApp, logs_clients: bool = False) -> None:
        self._app = app
        self._logs_clients = logs_clients

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request by the application."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = time.perf_counter()
        answer: dict[str, Any] = {"status": 0, "request_id": "-"}

        async def send_and_look(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer["status"] = message["status"]
                headers = dict(message.get("headers", ()))
                request_id = headers.get(b"x-request-id", b"-")
                answer["request_id"] = request_id.decode("latin-1")
            await send(message)

        try:
            await self._app(scope, receive, send_and_look)
        finally:
            self._write(scope, answer, time.perf_counter() - start)

    def _write(self, scope: Scope, answer: dict[str, Any], seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "(no route)")
        if route in _HEALTH and answer["status"] < _SERVER_ERROR:
            return
        client = f" {(scope.get('client') or ['-'])[0]}" if self._logs_clients else ""
        _LOG.info(
            "%s %s %s %.0f ms %s%s",
            scope["method"] if scope["method"].isalpha() else "(no method)",
            route,
            answer["status"] or "aborted",
            1000 * seconds,
            answer["request_id"],
            client,
        )


def log_malformed(request_id: str) -> None:
    """Logs what was refused before it was a request."""
    _LOG.info("(no method) (no route) 400 0 ms %s", request_id)


def write_log() -> None:
    """Writes what the service says to the standard error of this process."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    log = logging.getLogger("vpr_tf")
    log.addHandler(handler)
    log.propagate = False
    _LOG.setLevel(logging.INFO)
