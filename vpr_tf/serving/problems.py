"""Errors as problem documents.

Reference:
    RFC 9457, "Problem Details for HTTP APIs".
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match, Mount

from vpr_tf.serving.field_errors import expected_of

_LOG = logging.getLogger("vpr_tf.serving")
MEDIA_TYPE = "application/problem+json"
_RETRY_AFTER_S = "5"
_METHODS = ("DELETE", "GET", "HEAD", "POST")


class ProblemDocument(BaseModel):
    """Why a request was refused."""

    type: str = Field("about:blank", description="What kind of problem it is")
    title: str = Field(description="The kind in words")
    status: int = Field(description="The HTTP status")
    detail: str = Field("", description="What was wrong, and what to do")
    request_id: str = Field("", description="To name the request in a question")
    errors: list[dict[str, Any]] = Field([], description="Which fields were wrong")


class ProblemError(Exception):
    """Ends a request with a problem document.

    Args:
        status: The HTTP status, 400 to 599.
        detail: What was wrong, what was expected, what to do.
        headers: Of the answer, e.g. `Retry-After`.
        errors: Which fields or photos were wrong.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        headers: Mapping[str, str] | None = None,
        errors: list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})
        self.errors = errors or []


def problem_answer(
    request: Request,
    status: int,
    detail: str,
    headers: Mapping[str, str] | None = None,
    errors: list[dict[str, Any]] | None = None,
) -> JSONResponse:
    """Returns a problem document as an answer; what is passing says when to return."""
    sent = dict(headers or {})
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        sent.setdefault("Retry-After", _RETRY_AFTER_S)
    document = ProblemDocument(
        type="about:blank",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        request_id=getattr(request.state, "request_id", ""),
        errors=errors or [],
    )
    return JSONResponse(
        document.model_dump(exclude_defaults=False),
        status_code=status,
        headers=sent,
        media_type=MEDIA_TYPE,
    )


def unusable_index(name: str, error: Exception) -> ProblemError:
    """Returns the problem of an index that cannot be used now; logs why."""
    _LOG.error("The index %s cannot be used: %s", name, error)
    return ProblemError(
        503,
        f"The index {name!r} cannot be used now. The service's log says why.",
        {"Retry-After": "5"},
    )


def problem_answers(descriptions: dict[int, str]) -> dict[int | str, dict[str, Any]]:
    """Returns problem documents as the `responses` of a route in OpenAPI.

    Args:
        descriptions: When a status is answered.
    """
    schema = ProblemDocument.model_json_schema()
    return {
        status: {
            "description": description,
            "content": {
                MEDIA_TYPE: {
                    "schema": schema,
                    "example": {
                        "type": "about:blank",
                        "title": HTTPStatus(status).phrase,
                        "status": status,
                        "detail": f"{description}.",
                        "request_id": "3f1c9d5e8a7b4c21",
                        "errors": [],
                    },
                }
            },
        }
        for status, description in descriptions.items()
    }


def add_problem_handlers(app: FastAPI) -> None:
    """Makes every error of an application a problem document."""

    @app.exception_handler(ProblemError)
    async def _refused(request: Request, problem: ProblemError) -> JSONResponse:
        return problem_answer(
            request, problem.status, problem.detail, problem.headers, problem.errors
        )

    @app.exception_handler(HTTPException)
    async def _http_error(request: Request, error: HTTPException) -> JSONResponse:
        headers = dict(error.headers or {})
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            headers["Allow"] = ", ".join(_methods(request))
        return problem_answer(request, error.status_code, str(error.detail), headers)

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        # What was received is not sent back: it may be a photo.
        errors = [
            {
                "field": ".".join(map(str, one["loc"])),
                "expected": expected_of(one),
            }
            for one in error.errors()
        ]
        detail = "; ".join(f"{one['field']}: {one['expected']}" for one in errors)
        return problem_answer(request, 422, detail, errors=errors)


def _methods(request: Request) -> list[str]:
    """Returns what a path may be asked by: all its routes; the error names one."""
    routes = [one for one in request.app.routes if not isinstance(one, Mount)]

    def is_allowed(method: str) -> bool:
        scope = {**request.scope, "method": method}
        return any(route.matches(scope)[0] == Match.FULL for route in routes)

    # Files that are mounted can be read.
    return list(filter(is_allowed, _METHODS)) or ["GET", "HEAD"]
