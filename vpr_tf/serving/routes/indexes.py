"""What the indexes hold: facts, coverage, streets, small pictures."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from vpr_tf.localization import LocalizationError
from vpr_tf.place_index import IndexState
from vpr_tf.serving.answers import IndexAnswer, IndexesAnswer
from vpr_tf.serving.index_facts import coverage_geojson, index_answer, streets
from vpr_tf.serving.problems import (
    ProblemError,
    problem_answers,
    unusable_index,
)
from vpr_tf.serving.service import Service, service_of
from vpr_tf.serving.thumbnails import find_photo, thumbnail

_PROBLEMS = problem_answers(
    {
        401: "The key is missing or wrong",
        404: "There is no such index or photo",
        422: "A parameter cannot be",
        429: "The key has asked too much",
        503: "The index cannot be read now, or too much is being computed",
    }
)
router = APIRouter(tags=["indexes"], responses=_PROBLEMS)
_Service = Annotated[Service, Depends(service_of)]
_GEOJSON = "application/geo+json"
_PICTURE_KEPT = "private, max-age=300"


@router.get("/v1/indexes")
async def all_indexes(service: _Service) -> IndexesAnswer:
    """Says what all indexes hold, the one searched by default first."""
    indexes, problems = [], {}
    for name in service.indexes:
        try:
            indexes.append(await _facts(service, name))
        except ProblemError as problem:
            problems[name] = problem
    if not indexes:
        raise next(iter(problems.values()))
    unusable = {name: problem.detail for name, problem in problems.items()}
    return IndexesAnswer(indexes=indexes, unusable=unusable)


@router.get("/v1/indexes/{name}")
async def one_index(service: _Service, name: str) -> IndexAnswer:
    """Says what an index holds."""
    return await _facts(service, name)


@router.get(
    "/v1/coverage",
    response_class=Response,
    responses={200: {"content": {_GEOJSON: {}}, "description": "GeoJSON"}},
)
async def coverage(
    service: _Service,
    index: Annotated[str | None, Query(description="Its name")] = None,
    cell_size_m: Annotated[
        float | None, Query(ge=1, le=100_000, description="Side of a cell")
    ] = None,
    old_before: Annotated[
        int | None, Query(ge=0, le=9999, description="Year; older cells are old")
    ] = None,
) -> Response:
    """Says where photos are missing, few or old: square cells as GeoJSON."""
    name, state = await service.state(index)
    what = ("coverage", name, cell_size_m, old_before)
    try:
        content = await service.kept.get(
            state, what, lambda: coverage_geojson(state, cell_size_m, old_before)
        )
    except ValueError as error:
        raise ProblemError(422, str(error)) from error
    return Response(content, media_type=_GEOJSON)


@router.get(
    "/v1/indexes/{name}/streets",
    response_class=Response,
    responses={200: {"content": {"application/json": {}}, "description": "Points"}},
)
async def streets_of_index(service: _Service, name: str) -> Response:
    """Gives positions of photos, thinned, to draw a map without tiles."""
    name, state = await service.state(name)
    content = await service.kept.get(state, ("streets", name), lambda: streets(state))
    return Response(content, media_type="application/json")


@router.get(
    "/v1/indexes/{name}/photos/{key:path}/thumbnail",
    response_class=Response,
    responses={
        200: {"content": {"image/jpeg": {}}, "description": "At most 320 pixels wide"},
        304: {"description": "It has not changed"},
    },
)
async def photo_thumbnail(
    service: _Service, request: Request, name: str, key: str
) -> Response:
    """Shows a photo of an index, small."""
    folder, max_pixels = service.settings.photos, service.settings.max_pixels
    if folder is None:
        raise ProblemError(404, "This service shows no photos.")
    name, state = await service.state(name)
    file = await asyncio.to_thread(find_photo, folder, state, key)
    headers = {"ETag": f'"{file.tag}"', "Cache-Control": _PICTURE_KEPT}
    if headers["ETag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    content = await service.pictures.get(
        state, (name, file.tag), lambda: thumbnail(file.path, max_pixels)
    )
    return Response(content, media_type="image/jpeg", headers=headers)


async def _facts(service: Service, name: str) -> IndexAnswer:
    name, state = await service.state(name)

    def make(state: IndexState = state) -> IndexAnswer:
        return index_answer(name, state)

    try:
        return await service.kept.get(state, ("facts", name), make)
    except LocalizationError as error:
        raise unusable_index(name, error) from error
