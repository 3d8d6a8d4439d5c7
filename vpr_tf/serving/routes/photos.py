"""Changes of an index, by admins: `POST` and `DELETE /v1/photos`."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Depends, Request
from pydantic import ValidationError

from vpr_tf.serving.access import counted_photos
from vpr_tf.serving.adding_work import Addition
from vpr_tf.serving.answers import ChangeAnswer
from vpr_tf.serving.multipart import MultipartReader
from vpr_tf.serving.options import RawOptions, photo_label
from vpr_tf.serving.photo_changes import (
    AddOne,
    AddOptions,
    AddSeveral,
    NewPhoto,
    Removal,
    check_key,
)
from vpr_tf.serving.problems import ProblemError, problem_answers
from vpr_tf.serving.service import Service, service_of
from vpr_tf.serving.uploads import UploadReader, invalid_fields
from vpr_tf.trusted_models import models_are_trusted

_Service = Annotated[Service, Depends(service_of)]


async def _changeable(service: _Service) -> None:
    """Refuses changes of signed indexes: a signature is of one state."""
    if service.settings.public_key is not None:
        raise ProblemError(
            403,
            "The indexes of this service are signed, and a change would end that. "
            "Change a copy by `vpr index`, sign it and put it in the place of this "
            "one, or start the service without `--key`.",
        )


router = APIRouter(tags=["photos"], dependencies=[Depends(_changeable)])
_MOST_METADATA_BYTES = 65_536
_MOST_REMOVAL_BYTES = 8_000_000
_SHOWN_KEYS = 1000
_PROBLEMS = {
    400: "The body is damaged",
    401: "The key is missing or wrong",
    403: "This needs a key of the role admin, and indexes that are not signed",
    413: "It is too much",
    415: "The body is of another kind",
    422: "A field or a photo cannot be",
    429: "The key has sent too many photos",
    503: "The index cannot be changed now",
}
_FORM = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["photos"],
                "additionalProperties": False,
                "properties": {
                    "photos": {
                        "type": "array",
                        "minItems": 1,
                        "items": {"type": "string", "format": "binary"},
                    },
                    "metadata": {
                        "type": "string",
                        "contentMediaType": "application/json",
                        "description": "Of several photos: a list, in their order, of "
                        "what stands beside one photo as fields",
                    },
                    **AddOne.model_json_schema()["properties"],
                },
            }
        }
    },
}
_JSON = {
    "required": True,
    "content": {"application/json": {"schema": Removal.model_json_schema()}},
}


@router.post(
    "/v1/photos",
    responses=problem_answers(
        {**_PROBLEMS, 409: "The index has a photo of this key already"}
    ),
    openapi_extra={"requestBody": _FORM},
)
async def add_photos(request: Request, service: _Service) -> ChangeAnswer:
    """Adds photos to an index, all or none; the next request finds them.

    They are described by the encoder that the index was built with. The photos
    themselves are not kept. One photo has its fields beside it; several have them in
    the field `metadata`, a JSON list.
    """
    with _reader(request, service) as reader:
        form = await reader.read_form(_MOST_METADATA_BYTES)
        with counted_photos(request, len(form.photos)):
            options, metadata = _read_metadata(form)
            name, index = service.index(options.index)
            addition = Addition(
                folder=str(index.folder),
                photos=[content for _, content in form.photos],
                columns=_columns(form, metadata),
                replace=options.replace,
                max_pixels=service.settings.max_pixels,
                trusted=models_are_trusted(),
            )
            added = await service.changes.add(name, index, addition)
    await service.localizer.follow(name)
    keys = addition.columns["keys"]
    return ChangeAnswer(
        request_id=request.state.request_id,
        index=name,
        index_generation=added.generation,
        num_photos=added.num_photos,
        num_changed=len(keys),
        keys=keys,
        is_dry_run=False,
    )


@router.delete(
    "/v1/photos",
    responses=problem_answers({**_PROBLEMS, 404: "The index has no such photo"}),
    openapi_extra={"requestBody": _JSON},
)
async def remove_photos(request: Request, service: _Service) -> ChangeAnswer:
    """Removes photos from an index, all or none: the next request finds none."""
    with _reader(request, service) as reader:
        body = await reader.read_json(_MOST_REMOVAL_BYTES)
        try:
            removal = Removal.model_validate_json(body)
        except ValidationError as error:
            raise invalid_fields(error) from None
    name, index = service.index(removal.index)
    keys, manifest = await service.changes.remove(name, index, removal)
    await service.localizer.follow(name)
    return ChangeAnswer(
        request_id=request.state.request_id,
        index=name,
        index_generation=manifest.generation,
        num_photos=manifest.num_photos,
        num_changed=len(keys),
        keys=keys[:_SHOWN_KEYS],
        is_dry_run=removal.dry_run,
    )


def _reader(request: Request, service: Service) -> UploadReader:
    held = service.localizer.held
    return UploadReader(request, RawOptions.model_validate({}), service.settings, held)


def _read_metadata(form: MultipartReader) -> tuple[AddOptions, list[NewPhoto]]:
    """Returns how photos are added, and what is known of each.

    Raises:
        ProblemError: There are other numbers of photos and of fields.
        RequestValidationError: A field cannot be.
    """
    try:
        if "metadata" not in form.options and len(form.photos) == 1:
            one = AddOne.model_validate(form.options)
            return one, [one]
        several = AddSeveral.model_validate(form.options)
    except ValidationError as error:
        raise invalid_fields(error) from None
    if len(several.metadata) != len(form.photos):
        raise ProblemError(
            422,
            "`metadata` must have an entry for each photo. Received: "
            f"{len(several.metadata)} for {len(form.photos)} photos.",
        )
    return several, several.metadata


def _columns(form: MultipartReader, metadata: list[NewPhoto]) -> dict[str, Any]:
    """Returns what is known of the photos as columns, see `PhotoColumns`."""
    keys = [
        one.key if one.key is not None else _key_of_file(filename)
        for one, (filename, _) in zip(metadata, form.photos, strict=True)
    ]
    if len(set(keys)) < len(keys):
        raise ProblemError(422, "Two of the photos have the same key.")
    headings = [one.heading_deg for one in metadata]
    return {
        "keys": keys,
        "latitude": [one.latitude for one in metadata],
        "longitude": [one.longitude for one in metadata],
        "heading_deg": [np.nan if one is None else one for one in headings],
        "timestamps": [one.timestamp or None for one in metadata],
    }


def _key_of_file(filename: bytes | None) -> str:
    key = photo_label(filename, 0) if filename else ""
    try:
        check_key(key)
    except ValueError as error:
        raise ProblemError(
            422, f"Pass a `key`: the name of the file is none, {error}."
        ) from None
    return key
