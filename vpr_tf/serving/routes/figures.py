"""Figures for Prometheus."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from prometheus_client import CONTENT_TYPE_LATEST

from vpr_tf.serving.metrics import metrics_text, show_index
from vpr_tf.serving.problems import ProblemError, problem_answers
from vpr_tf.serving.service import Service, service_of

_PROBLEMS = problem_answers(
    {
        401: "The key is missing or wrong",
        403: "This needs a key of the role metrics",
        429: "The key has asked too much",
    }
)
router = APIRouter(tags=["health"], responses=_PROBLEMS)


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}, "description": "Figures"}},
)
async def metrics(service: Annotated[Service, Depends(service_of)]) -> Response:
    """Gives figures of requests, photos and indexes, as Prometheus reads them."""
    for name in service.indexes:
        # The figures of a damaged index stay as they were; the log says why.
        with contextlib.suppress(ProblemError):
            _, state = await service.state(name)
            show_index(name, state.manifest)
    text = await asyncio.to_thread(metrics_text)
    return Response(text, media_type=CONTENT_TYPE_LATEST)
