"""Figures of the service for Prometheus; none is about one photo, index key or user.

Several worker processes write theirs to the folder `PROMETHEUS_MULTIPROC_DIR`, which
must be set before this module is imported; whichever is asked answers for all. The
rates of keys lie there, too.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vpr_tf.place_index import IndexManifest

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
DECODE, DESCRIBE, SEARCH = "decode", "describe", "search"
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_NO_ROUTE = "(no route)"

_REQUESTS = Counter(
    "vpr_requests", "Requests by route and HTTP status", ["route", "status"]
)
_REQUEST_SECONDS = Histogram(
    "vpr_request_seconds", "From request to answer", ["route"], buckets=_SECONDS
)
_PHOTOS = Counter(
    "vpr_photos", "Photos by localized, withheld, outside, unreadable", ["status"]
)
_QUEUED = Gauge(
    "vpr_queued_photos",
    "Photos that wait or are being localized",
    multiprocess_mode="livesum",
)
_BATCHES = Histogram(
    "vpr_batch_photos",
    "Photos that were described together",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128),
)
_STEPS = Histogram(
    "vpr_step_seconds",
    "Of a photo or batch: decode, describe, search",
    ["step"],
    buckets=_SECONDS,
)
_GENERATION = Gauge(
    "vpr_index_generation",
    "Changes of an index so far",
    ["index"],
    multiprocess_mode="livemostrecent",
)
_INDEX_PHOTOS = Gauge(
    "vpr_index_photos",
    "Photos of an index that can be found",
    ["index"],
    multiprocess_mode="livemostrecent",
)


def workers_folder() -> Path | None:
    """Returns the folder that worker processes share; None if there is one alone."""
    folder = os.environ.get(FOLDER)
    return Path(folder) if folder else None


def count_photos(status: str, num_photos: int = 1) -> None:
    """Counts photos that were answered.

    Args:
        status: `localized`, `withheld`, `outside` or `unreadable`.
        num_photos: How many.
    """
    _PHOTOS.labels(status).inc(num_photos)


def set_queued(num_photos: int) -> None:
    """Says how many photos this process holds, waiting or being localized."""
    _QUEUED.set(num_photos)


def observe_batch(num_photos: int) -> None:
    """Counts photos that were described together."""
    _BATCHES.observe(num_photos)


def observe_step(step: str, seconds: float) -> None:
    """Counts the seconds of a step: `DECODE`, `DESCRIBE` or `SEARCH`."""
    _STEPS.labels(step).observe(seconds)


def show_index(name: str, manifest: IndexManifest) -> None:
    """Says what an index holds now."""
    _GENERATION.labels(name).set(manifest.generation)
    _INDEX_PHOTOS.labels(name).set(manifest.num_photos)


def metrics_text() -> bytes:
    """Returns the figures of all processes, as Prometheus reads them."""
    if workers_folder() is None:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)
    return generate_latest(registry)


class RequestMetrics:
    """ASGI middleware that counts requests, by the template of their route.

    Args:
        app: The application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request by the application."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start_s, status = time.perf_counter(), "aborted"

        async def send_and_look(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, send_and_look)
        finally:
            route = getattr(scope.get("route"), "path", _NO_ROUTE)
            _REQUESTS.labels(route, status).inc()
            _REQUEST_SECONDS.labels(route).observe(time.perf_counter() - start_s)
