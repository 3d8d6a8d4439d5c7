"""The application: routes, errors, what is open while it runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI

import vpr_tf
from vpr_tf.serving.access import Access, needs
from vpr_tf.serving.key_file import ADMIN, METRICS, QUERY
from vpr_tf.serving.metrics import RequestMetrics
from vpr_tf.serving.origins import allowed_hosts
from vpr_tf.serving.problems import add_problem_handlers
from vpr_tf.serving.protection import Protection, RequestLimit
from vpr_tf.serving.routes import (
    figures,
    health,
    indexes,
    localize,
    pages,
    photos,
)
from vpr_tf.serving.security_headers import security_headers
from vpr_tf.serving.service import Service
from vpr_tf.serving.settings import ServiceSettings


def create_app(settings: ServiceSettings) -> FastAPI:
    """Makes the application of a service.

    Args:
        settings: See there.

    Raises:
        ServiceError: The keys cannot be read; a host or the address of tiles cannot
            be.
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
        docs_url=None,  # its pages load scripts of other sites
        redoc_url=None,
    )
    app.state.access = Access(settings)
    add_problem_handlers(app)
    app.add_middleware(RequestLimit, most=settings.max_requests)
    app.add_middleware(
        Protection,
        hosts=allowed_hosts(settings.hosts),
        headers=security_headers(settings.tiles),
    )
    app.add_middleware(RequestMetrics)
    app.include_router(health.router)
    app.include_router(figures.router, dependencies=[Depends(needs(METRICS))])
    app.include_router(indexes.router, dependencies=[Depends(needs(QUERY))])
    asks = needs(QUERY, num_photos=1)
    app.include_router(localize.router, dependencies=[Depends(asks)])
    app.include_router(photos.router, dependencies=[Depends(needs(ADMIN))])
    app.include_router(pages.router)
    pages.add_static_files(app)
    return app
