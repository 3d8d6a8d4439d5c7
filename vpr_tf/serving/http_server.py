"""The HTTP server: uvicorn, with requests bounded in time and an orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from vpr_tf.serving.problems import MEDIA_TYPE, ProblemDocument
from vpr_tf.serving.process_settings import ProcessSettings
from vpr_tf.serving.request_log import log_malformed

_LONGEST_HEAD_BYTES = 32_768
_KEEP_ALIVE_S = 5
_HEAD_S = 10.0
_BACKLOG = 1024
# A connection that was just made may bring a request so long after the end began.
_LAST_REQUEST_S = 1.0


class BoundedProtocol(H11Protocol):
    """HTTP/1.1 whose requests must arrive, and answers be read, within a time.

    uvicorn waits forever for a request that was begun, and for a client to read its
    answer: who begins many and never ends them would take all connections.

    Attributes:
        head_s: In which the first line and the headers must have arrived.
        upload_s: In which the body must have arrived after them, and what was sent
            of an answer been read.
    """

    head_s = _HEAD_S
    upload_s = 60.0
    _deadline: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None
    _reading: Any = None  # which of the two is awaited
    _is_ending = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begins to wait for a request."""
        super().connection_made(transport)
        # So is a pause what lies between a byte that is sent and the last one read.
        transport.set_write_buffer_limits(0)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Reads on."""
        super().data_received(data)
        self._watch()
        if self._is_ending and self.cycle is not None:
            self.cycle.keep_alive = False

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops waiting."""
        self._stop_waiting()
        self._answer_was_read()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Begins to wait for the client to read."""
        super().pause_writing()
        self._unread = self.loop.call_later(self.upload_s, self.transport.abort)

    def resume_writing(self) -> None:
        """Goes on: the client has read all."""
        self._answer_was_read()
        super().resume_writing()

    def _answer_was_read(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def send_400_response(self, msg: str) -> None:
        """Refuses what is no request, which the application never sees."""
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.close()  # an answer has begun: there is no other
            return
        request_id, status = secrets.token_hex(8), HTTPStatus.BAD_REQUEST
        problem = ProblemDocument(
            type="about:blank",
            title=status.phrase,
            status=status,
            detail="This is no HTTP/1.1 request, or its headers are too long.",
            request_id=request_id,
            errors=[],
        )
        content = problem.model_dump_json().encode()
        headers = {
            "Content-Type": MEDIA_TYPE,
            "Content-Length": str(len(content)),
            "X-Request-ID": request_id,
            "Connection": "close",
        }
        start = h11.Response(
            status_code=status, headers=list(headers.items()), reason=status.phrase
        )
        for event in (start, h11.Data(data=content), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event))
        self.transport.close()
        log_malformed(request_id)

    def shutdown(self) -> None:
        """Ends the connection after its request, if one has come or is on its way."""
        if self.cycle is None:
            self._is_ending = True
            self.loop.call_later(_LAST_REQUEST_S, self._end_if_unused)
        else:
            super().shutdown()

    def _end_if_unused(self) -> None:
        if self.cycle is None and not self.transport.is_closing():
            super().shutdown()

    def _watch(self) -> None:
        state = self.conn.their_state
        limits_s = {h11.IDLE: self.head_s, h11.SEND_BODY: self.upload_s}
        if state not in limits_s or self.transport.is_closing():
            self._stop_waiting()
        elif self._reading is not state:
            self._stop_waiting()
            self._reading = state
            self._deadline = self.loop.call_later(limits_s[state], self.transport.close)

    def _stop_waiting(self) -> None:
        self._reading = None
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class HttpServer(uvicorn.Server):
    """A server whose signals are handled by whoever runs it.

    Args:
        app: An ASGI application, whose lifespan is not entered.
        settings: See there.
        upload_s: The body of a request must have arrived within so many seconds.
    """

    def __init__(self, app: Any, settings: ProcessSettings, upload_s: float) -> None:
        protocol = type(
            "_Protocol",
            (BoundedProtocol,),
            {"head_s": min(_HEAD_S, upload_s), "upload_s": upload_s},
        )
        config = uvicorn.Config(
            app,
            http=protocol,
            ws="none",
            lifespan="off",
            loop="asyncio",
            # What fails is logged by the application, without what was sent.
            log_level="critical",
            access_log=False,
            server_header=False,
            proxy_headers=bool(settings.proxies),
            forwarded_allow_ips=list(settings.proxies),
            backlog=_BACKLOG,
            timeout_keep_alive=_KEEP_ALIVE_S,
            # It takes whole seconds, in its annotation only.
            timeout_graceful_shutdown=settings.drain_s,  # type: ignore[arg-type]
            h11_max_incomplete_event_size=_LONGEST_HEAD_BYTES,
        )
        super().__init__(config)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:  # type: ignore[override]
        """Captures none."""
        yield
