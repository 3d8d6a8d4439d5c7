"""What stands before every request and on every answer.

The service listens on machines whose users also open other people's pages. A page may
neither send photos here nor read what comes back: names that do not belong to the
service (DNS rebinding) and requests that other sites caused are refused, and what is
answered can be neither framed nor guessed to be of another type.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import traceback
from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vpr_tf.serving.origins import host_problem, is_of_other_site
from vpr_tf.serving.problems import problem_answer

_LOG = logging.getLogger("vpr_tf.serving")
_HEALTH = ("/healthz", "/readyz")


class AnswerFaultError(RuntimeError):
    """An answer broke off; what happened is in the log under the request's id."""


class Protection:
    """ASGI middleware: request ids, headers, hosts, origins, unexpected errors.

    Args:
        app: What it stands before.
        hosts: See `allowed_hosts`.
        headers: See `security_headers`.
    """

    def __init__(
        self, app: ASGIApp, hosts: frozenset[str], headers: Mapping[str, str]
    ) -> None:
        self._app, self._hosts, self._headers = app, hosts, headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request, or refuses it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id
        has_begun = False

        async def send_with_headers(message: Message) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                self._add_headers(message, request_id)
            await send(message)

        try:
            await self._answer(scope, receive, send_with_headers)
        except ClientDisconnect:
            return
        except asyncio.CancelledError:  # the time to end is over
            if not has_begun:
                refused = problem_answer(
                    Request(scope), 503, "The service ends.", {"Retry-After": "5"}
                )
                await refused(scope, receive, send_with_headers)
            raise
        except Exception as error:
            _LOG.error("Request %s failed:\n%s", request_id, _frames(error))
            if has_begun:
                # Its message may hold the name of a photo, and goes to the log.
                raise AnswerFaultError(request_id) from None
            refused = problem_answer(
                Request(scope),
                500,
                "The service failed. Its log says why, under this request's id.",
            )
            await refused(scope, receive, send_with_headers)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        problem = host_problem(scope, headers, self._hosts)
        if problem:
            await problem_answer(Request(scope), 400, problem)(scope, receive, send)
        elif is_of_other_site(scope, headers):
            refused = problem_answer(
                Request(scope),
                403,
                "A page of another site may not ask this service. Open the page of "
                "the service itself, or ask it without a browser.",
            )
            await refused(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _add_headers(self, message: Message, request_id: str) -> None:
        headers = MutableHeaders(scope=message)
        headers["X-Request-ID"] = request_id
        for name, value in self._headers.items():
            headers.setdefault(name, value)


class RequestLimit:
    """ASGI middleware that refuses requests while too many are being answered.

    Health is answered still: a process that is busy lives.

    Args:
        app: What it stands before.
        most: Requests at a time.
    """

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app, self._most = app, most
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request by the application, or refuses it."""
        if scope["type"] != "http" or scope["path"] in _HEALTH:
            await self._app(scope, receive, send)
            return
        if self._running >= self._most:
            problem = f"The service answers {self._most} requests at a time. Try again."
            await problem_answer(Request(scope), 503, problem)(scope, receive, send)
            return
        self._running += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._running -= 1


def _frames(error: BaseException) -> str:
    """Returns types and lines of an error and its causes, without their messages."""
    lines = []
    one: BaseException | None = error
    while one is not None:
        lines += [*traceback.format_tb(one.__traceback__), f"{type(one).__name__}\n"]
        one = one.__cause__ or one.__context__
    return "".join(lines)
