"""Where photos were taken: `POST /v1/localize`, and `/v1/sequence` of one camera."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import json
from collections.abc import Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.requests import ClientDisconnect

from vpr_tf.localization import (
    LocalizationError,
    Match,
    features_of,
    gpx_of,
    track_feature,
)
from vpr_tf.place_index import IndexManifest
from vpr_tf.serving.access import counted_photos
from vpr_tf.serving.answers import (
    LocalizationAnswer,
    LocalizeAnswer,
    SequenceAnswer,
    TrackAnswer,
    UnreadablePhoto,
)
from vpr_tf.serving.localizing import LocalizedPhotos
from vpr_tf.serving.options import RawOptions
from vpr_tf.serving.problems import ProblemError
from vpr_tf.serving.routes.localize_examples import (
    ANSWERS,
    REQUEST_BODY,
    SEQUENCE_ANSWERS,
    SEQUENCE_BODY,
)
from vpr_tf.serving.service import Service, service_of
from vpr_tf.serving.thumbnails import thumbnail_path
from vpr_tf.serving.uploads import UploadReader

router = APIRouter(tags=["localize"])
_JSON, _GEOJSON = "application/json", "application/geo+json"
_GPX = "application/gpx+xml"
# What servers note of a client that has gone; nobody receives it.
_CLIENT_HAS_GONE = 499


@router.post(
    "/v1/localize",
    response_model=LocalizeAnswer,
    responses=ANSWERS,
    openapi_extra={"requestBody": REQUEST_BODY},
)
async def localize(
    request: Request,
    query: Annotated[RawOptions, Query()],
    service: Annotated[Service, Depends(service_of)],
) -> Response:
    """Says where photos were taken, by the index that is named or the first.

    Photos are JPEG or PNG files: one as the body, with the options as query
    parameters; or one or more as multipart fields `photos` or as base64 in JSON, with
    the options beside them. A position of too little confidence is `withheld`, which is
    an answer and no error. Nothing of a photo is kept or logged, and of its EXIF data
    only the orientation is read, unless `exif_radius_m` asks for its position.
    """
    return await _answer(request, query, service)


@router.post(
    "/v1/sequence",
    response_model=SequenceAnswer,
    responses=SEQUENCE_ANSWERS,
    openapi_extra={"requestBody": SEQUENCE_BODY},
)
async def localize_sequence(
    request: Request, service: Annotated[Service, Depends(service_of)]
) -> Response:
    """Says where one camera took photos, each by its matches and by the others.

    Photos are sent as multipart fields `photos` or as base64 in JSON, in their order.
    The answer is that of `/v1/localize`, with the track; as GPX or GeoJSON
    where `Accept` asks for it. Photos of a sequence are not re-ranked. When they were
    taken is read in their EXIF data, unless `seconds_between` says it.
    """
    return await _answer(request, None, service)


async def _answer(
    request: Request, query: RawOptions | None, service: Service
) -> Response:
    """Localizes the photos of a request; `query` as of `UploadReader`."""
    localizer = service.localizer
    localizer.admission.check()
    try:
        reader = UploadReader(request, query, service.settings, localizer.held)
        with reader:
            upload = await reader.read()
            name, _ = service.index(upload.options.index)
            with counted_photos(request, len(upload.photos)):
                work = localizer.localize(name, upload.photos, upload.options)
                found = await _unless_gone(request, work)
    except ClientDisconnect:
        return Response(status_code=_CLIENT_HAS_GONE)
    if not found.localizations:
        raise _nothing_readable(found)
    kinds = [_GEOJSON, *([_GPX] if found.track else [])]
    kind = _wanted(request.headers.get("accept", ""), kinds)
    request_id = getattr(request.state, "request_id", "")
    shown = _Shown(name, request_id, service.settings.photos is not None)
    return await asyncio.to_thread(shown.answer, found, kind)


async def _unless_gone(
    request: Request, work: Coroutine[Any, Any, LocalizedPhotos]
) -> LocalizedPhotos:
    """Returns what work finds; ends it when the client goes.

    Raises:
        ClientDisconnect: It has.
    """
    working, gone = asyncio.create_task(work), asyncio.create_task(_gone(request))
    try:
        await asyncio.wait({working, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return working.result()
    finally:
        for one in (gone, working):
            one.cancel()
        await asyncio.gather(gone, working, return_exceptions=True)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _nothing_readable(found: LocalizedPhotos) -> ProblemError:
    """Returns the refusal of a request of which no photo can be read."""
    photos = found.unreadable
    is_other_kind = len(photos) == 1 and not photos[0].is_image
    return ProblemError(
        415 if is_other_kind else 422,
        "No photo can be read: "
        + "; ".join(f"{one.name}: {one.reason}" for one in photos),
        errors=[{"photo": one.name, "reason": one.reason} for one in photos],
    )


def _wanted(accept: str, kinds: list[str]) -> str:
    """Returns which of some kinds an Accept header prefers to JSON, or JSON."""
    weights: dict[str, float] = {}
    for one in accept.lower().split(","):
        kind, *parameters = (part.strip() for part in one.split(";"))
        weights[kind] = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    weights[kind] = float(parameter[2:])
                except ValueError:
                    weights[kind] = 0.0
    best = max(kinds, key=lambda kind: weights.get(kind, 0.0))
    is_best = 0 < weights.get(best, 0.0) >= weights.get(_JSON, 0.0)
    return best if is_best else _JSON


def _notes(found: LocalizedPhotos) -> list[str]:
    """Returns what to know of an answer that has no fields for it."""
    unreadable = [f"{one.name}: {one.reason}" for one in found.unreadable]
    return [found.settings.note, *found.warnings, *unreadable]


class _Shown:
    """Writes answers.

    Args:
        name: Of the index.
        request_id: Of the request.
        has_thumbnails: Whether the service shows photos.
    """

    def __init__(self, name: str, request_id: str, has_thumbnails: bool) -> None:
        self._name, self._request_id = name, request_id
        self._has_thumbnails = has_thumbnails

    def answer(self, found: LocalizedPhotos, kind: str) -> Response:
        """Returns the answer, as JSON, GeoJSON or GPX.

        Raises:
            ProblemError: GPX is asked for, of an index of local coordinates.
        """
        if kind == _GPX and found.track:
            try:
                text = gpx_of(found.track, found.localizations, _notes(found))
            except LocalizationError as error:
                raise ProblemError(406, str(error)) from error
            return Response(text, media_type=_GPX)
        shown = self._json(found)
        if kind == _JSON:
            return Response(shown.model_dump_json(), media_type=_JSON)
        content = shown.model_dump()
        localizations = content.pop("localizations")
        content["type"] = "FeatureCollection"
        content["features"] = [
            feature for one in localizations for feature in features_of(one)
        ]
        if found.track:
            del content["track"]
            content["features"].append(track_feature(found.track, found.localizations))
        written = json.dumps(content, allow_nan=False)
        return Response(written, media_type=_GEOJSON)

    def _json(self, found: LocalizedPhotos) -> LocalizeAnswer:
        manifest = found.snapshot.state.manifest
        calibration = found.settings.calibration
        of_match = functools.partial(self._of_match, manifest)
        answer = LocalizeAnswer(
            request_id=self._request_id,
            index=self._name,
            index_generation=manifest.generation,
            model=manifest.encoder_description,
            threshold_m=None if calibration is None else calibration.threshold_m,
            min_confidence=found.min_confidence,
            notes=[found.settings.note],
            warnings=found.warnings,
            localizations=[
                LocalizationAnswer.of(
                    one, found.settings.error_quantile(one.reranked), of_match
                )
                for one in found.localizations
            ],
            unreadable=[
                UnreadablePhoto(photo=one.name, reason=one.reason)
                for one in found.unreadable
            ],
            timings=found.timings,
        )
        if found.track is None:
            return answer
        track = TrackAnswer(**dataclasses.asdict(found.track))
        return SequenceAnswer(**dict(answer), track=track)

    def _of_match(self, manifest: IndexManifest, match: Match) -> dict[str, Any]:
        known = {"attribution": manifest.attribution, "licence": manifest.licence}
        if not self._has_thumbnails:
            return known
        return {**known, "thumbnail": thumbnail_path(self._name, match.key)}
