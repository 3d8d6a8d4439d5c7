"""The pages: a map that photos are dropped on, and what an index holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, Field
from starlette.responses import Response
from starlette.types import Scope
from xstatic.pkg import leaflet

from vpr_tf.serving.service import Service, service_of

router = APIRouter(tags=["pages"])

_STATIC = Path(__file__).resolve().parents[1] / "static"
# Kept by browsers, but asked about each time: pages change with the service.
_CACHED = {"Cache-Control": "no-cache"}
_READ = ["GET", "HEAD"]


class PageAnswer(BaseModel):
    """What the pages need to know of the service; holds no secret."""

    needs_key: bool = Field(description="Whether requests must carry a key")
    tiles: str | None = Field(description="Address of map tiles; null for none")
    tiles_attribution: str = Field(description="Whom the map is from")
    shows_photos: bool = Field(description="Whether there are thumbnails")
    max_photo_bytes: int = Field(description="Of one photo")
    max_photos: int = Field(description="Of one request")
    max_pixels: int = Field(description="Of one photo")


class _Files(StaticFiles):
    """Files that browsers ask about each time."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        answer = await super().get_response(path, scope)
        answer.headers.update(_CACHED)
        return answer


def add_static_files(app: FastAPI) -> None:
    """Serves what the pages are made of, Leaflet included."""
    app.mount("/static/leaflet", _Files(directory=leaflet.BASE_DIR), "leaflet")
    app.mount("/static", _Files(directory=_STATIC), "static")


@router.api_route("/", methods=_READ, include_in_schema=False)
async def page() -> FileResponse:
    """Gives the page that photos are dropped on."""
    return FileResponse(_STATIC / "index.html", headers=_CACHED)


@router.api_route("/indexes/{name}", methods=_READ, include_in_schema=False)
async def about_index(name: str) -> FileResponse:
    """Gives the page about an index, which asks for what it shows, with a key."""
    return FileResponse(_STATIC / "about_index.html", headers=_CACHED)


@router.get("/v1/page")
async def page_settings(
    service: Annotated[Service, Depends(service_of)],
) -> PageAnswer:
    """Says what the pages need to know of the service."""
    settings = service.settings
    return PageAnswer(
        needs_key=settings.key_file is not None,
        tiles=settings.tiles,
        tiles_attribution=settings.tiles_attribution,
        shows_photos=settings.photos is not None,
        max_photo_bytes=settings.max_photo_bytes,
        max_photos=settings.max_photos,
        max_pixels=settings.max_pixels,
    )
