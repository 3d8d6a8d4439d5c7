"""A process that answers, from its start to its end."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import signal
import socket
import threading
from collections.abc import Callable
from types import FrameType

from vpr_tf.serving.allocator import use_few_arenas
from vpr_tf.serving.process_settings import ProcessSettings
from vpr_tf.serving.settings import ServiceSettings
from vpr_tf.trusted_models import trusting_models

DONE, FAILED, INTERRUPTED = 0, 1, 130
# The application refuses an upload that takes too long, and says so.
_TO_REFUSE_S = 5.0
ENDING_S = 3.0  # for what is closed after the last answer


class _Ending:
    """The end of a process: the first signal begins it, the second does not wait.

    Args:
        drain_s: How long it may take.
    """

    def __init__(self, drain_s: float) -> None:
        self.begin: Callable[[], None] | None = None
        self.status: int | None = None
        self._drain_s = drain_s

    def __call__(self, number: int, _frame: FrameType | None = None) -> None:
        """Handles a signal."""
        is_first = self.status is None
        self.status = INTERRUPTED if number == signal.SIGINT else DONE
        begin = self.begin
        if not is_first or begin is None:  # nothing was accepted yet
            end_now(self.status)
            return
        limit = threading.Timer(self._drain_s + ENDING_S, end_now, (self.status,))
        limit.daemon = True
        limit.start()
        begin()


def end_now(status: int) -> None:
    """Ends this process and those that it started, without waiting for anything."""
    for child in multiprocessing.active_children():
        child.kill()
    os._exit(status)


def run_here(
    settings: ServiceSettings,
    how: ProcessSettings,
    bound: socket.socket,
    *,
    on_ready: Callable[[], None],
    signals: tuple[int, ...] = (signal.SIGTERM, signal.SIGINT),
    trust_model: bool = False,
) -> int:
    """Serves in this process until a signal ends it.

    Args:
        settings: Of the service.
        how: It is reached and run.
        bound: See `bind_socket`.
        on_ready: Called when requests are answered.
        signals: Those that end it.
        trust_model: See `serve`.

    Returns:
        The exit status.

    Raises:
        Exception: What went wrong when the service was opened.
    """
    use_few_arenas()  # before there are other threads
    ending = _Ending(how.drain_s)
    for number in signals:
        signal.signal(number, ending)
    with trusting_models(trust_model):
        asyncio.run(_serve(settings, how, bound, ending, on_ready))
    # Python would look through all objects once more, for a second or several.
    gc.freeze()
    return DONE if ending.status is None else ending.status


async def _serve(
    settings: ServiceSettings,
    how: ProcessSettings,
    bound: socket.socket,
    ending: _Ending,
    on_ready: Callable[[], None],
) -> None:
    from vpr_tf.serving.app import create_app
    from vpr_tf.serving.http_server import HttpServer
    from vpr_tf.serving.request_log import RequestLog

    app = create_app(settings)
    async with app.router.lifespan_context(app):
        server = HttpServer(
            RequestLog(app, how.logs_clients), how, settings.max_upload_s + _TO_REFUSE_S
        )

        def begin_to_end() -> None:
            app.state.service.is_ready = False
            server.should_exit = True

        ending.begin = begin_to_end
        said = asyncio.create_task(_say_when_started(server, on_ready))
        await server.serve([bound])
        await said


async def _say_when_started(server: object, on_ready: Callable[[], None]) -> None:
    while not server.started:  # type: ignore[attr-defined]
        await asyncio.sleep(0.01)
    on_ready()
