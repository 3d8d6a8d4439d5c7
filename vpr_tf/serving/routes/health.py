"""Whether the process lives, and whether it answers."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from vpr_tf.serving.problems import ProblemError
from vpr_tf.serving.service import Service, service_of

router = APIRouter(tags=["health"])


class HealthAnswer(BaseModel):
    """Says that all is well."""

    status: str = "ok"


@router.head("/healthz", include_in_schema=False)
@router.get("/healthz")
async def healthz() -> HealthAnswer:
    """Says that the process lives."""
    return HealthAnswer()


@router.head("/readyz", include_in_schema=False)
@router.get("/readyz")
async def readyz(service: Annotated[Service, Depends(service_of)]) -> HealthAnswer:
    """Says whether requests are answered now: 503 while starting and ending.

    So it is while an encoder fails, such as that of a server that has gone.
    """
    if not service.is_ready:
        raise ProblemError(
            503, "The service is starting or ending.", {"Retry-After": "1"}
        )
    if service.localizer.is_failing:
        raise ProblemError(
            503,
            "The encoder does not describe photos now. The service's log says why.",
            {"Retry-After": "5"},
        )
    return HealthAnswer()
