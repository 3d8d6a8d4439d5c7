"""The application: routes, errors, what is open while it runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

import vpr_tf
from vpr_tf.serving.problems import add_problem_handlers
from vpr_tf.serving.routes import health, localize
from vpr_tf.serving.service import Service
from vpr_tf.serving.settings import ServiceSettings


def create_app(settings: ServiceSettings) -> FastAPI:
    """Makes the application of a service.

    Args:
        settings: See there.
    """

    @asynccontextmanager
    async def running(app: FastAPI) -> AsyncIterator[None]:
        async with Service(settings) as service:
            app.state.service = service
            yield

    app = FastAPI(
        title="vpr_tf",
        summary="Where was this photo taken?",
        version=vpr_tf.__version__,
        lifespan=running,
    )
    add_problem_handlers(app)
    app.include_router(health.router)
    app.include_router(localize.router)
    return app
