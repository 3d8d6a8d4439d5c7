"""What the OpenAPI document says of `POST /v1/localize`: forms, examples, errors."""

from __future__ import annotations

from typing import Any

from vpr_tf.serving.answers import LocalizeAnswer, SequenceAnswer
from vpr_tf.serving.options import LocalizeOptions, SequenceOptions
from vpr_tf.serving.problems import problem_answers

_OPTIONS = LocalizeOptions.model_json_schema()["properties"]
_SEQUENCE_OPTIONS = SequenceOptions.model_json_schema()["properties"]
_BINARY = {"type": "string", "format": "binary"}
_JSON_PHOTO = {
    "type": "object",
    "required": ["data"],
    "additionalProperties": False,
    "properties": {
        "data": {
            "type": "string",
            "contentEncoding": "base64",
            "description": "The file, in base64",
        },
        "name": {
            "type": ["string", "null"],
            "description": "What it is called in the answer",
        },
    },
}


def _body(photos: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["photos"],
        "additionalProperties": False,
        "properties": {"photos": photos, **options},
    }


def _parts(options: dict[str, Any], example: dict[str, Any]) -> dict[str, Any]:
    """Returns the forms that photos and options are sent in together."""
    photos = {"type": "array", "minItems": 1}
    return {
        "multipart/form-data": {
            "schema": _body({**photos, "items": _BINARY}, options),
            "encoding": {"photos": {"contentType": "image/jpeg, image/png"}},
        },
        "application/json": {
            "schema": _body({**photos, "items": _JSON_PHOTO}, options),
            "example": example,
        },
    }


_PHOTO = {"name": "street.jpg", "data": "/9j/4AAQSkZJRgABAQ..."}
REQUEST_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        **_parts(
            _OPTIONS,
            {"photos": [_PHOTO], "within": "37.7749,-122.4194,500", "top_k": 10},
        ),
        "image/jpeg": {"schema": _BINARY},
        "image/png": {"schema": _BINARY},
    },
}

SEQUENCE_BODY: dict[str, Any] = {
    "required": True,
    "content": _parts(
        _SEQUENCE_OPTIONS,
        {
            "photos": [_PHOTO, {**_PHOTO, "name": "street_2.jpg"}],
            "seconds_between": 2,
        },
    ),
}

_ANSWER: dict[str, Any] = {
    "request_id": "3f1c9d5e8a7b4c21",
    "index": "city",
    "index_generation": 4,
    "model": "CosPlace, ResNet18, 512",
    "threshold_m": 25.0,
    "min_confidence": 0.5,
    "notes": [],
    "warnings": [],
    "localizations": [
        {
            "photo": "street.jpg",
            "status": "localized",
            "reason": "",
            "latitude": 37.774912,
            "longitude": -122.419388,
            "utm_east": 551130.2,
            "utm_north": 4180999.6,
            "utm_zone": 10,
            "heading_deg": 93.0,
            "expected_error_m": 7.4,
            "accuracy_radius_m": 7.4,
            "accuracy_probability": 0.68,
            "confidence": 0.93,
            "num_candidates": 10,
            "reranked": False,
            "min_confidence": 0.5,
            "matches": [
                {
                    "key": "market_street/0042.jpg",
                    "latitude": 37.77492,
                    "longitude": -122.41941,
                    "heading_deg": 91.0,
                    "timestamp": "20190630_101500",
                    "distance": 0.61,
                    "similarity": 0.695,
                    "inliers": None,
                    "inlier_points": None,
                    "thumbnail": None,
                    "attribution": None,
                    "licence": None,
                }
            ],
        }
    ],
    "unreadable": [],
    "timings": {
        "decode_ms": 96.0,
        "describe_ms": 21.0,
        "search_ms": 3.1,
        "total_ms": 120.1,
    },
}
_PROBLEMS = {
    400: "The body is malformed",
    401: "A key is needed, or the key is not known",
    403: "The key may not do this",
    404: "There is no such index",
    408: "The photos took too long to arrive",
    413: "Too many photos, bytes or pixels",
    415: "Neither JPEG nor PNG, or a body of another form",
    422: "An option cannot be, or no photo can be read",
    429: "Too many requests of this key; see Retry-After",
    503: "The photos would wait too long; see Retry-After",
}


ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Where the photos were taken",
        "content": {
            "application/json": {
                "example": LocalizeAnswer.model_validate(_ANSWER).model_dump()
            },
            "application/geo+json": {
                "schema": {
                    "type": "object",
                    "description": "RFC 7946: features for each photo and its matches",
                }
            },
        },
    },
    **problem_answers(_PROBLEMS),
}

_TRACK = {"order": [0], "times": ["2026-06-01T10:15:00"], "segments": [[0]]}
SEQUENCE_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Where the photos were taken, and the track",
        "content": {
            "application/json": {
                "example": SequenceAnswer.model_validate(
                    {**_ANSWER, "track": _TRACK}
                ).model_dump()
            },
            "application/geo+json": {
                "schema": {
                    "type": "object",
                    "description": "RFC 7946: as of `/v1/localize`, and lines",
                }
            },
            "application/gpx+xml": {
                "schema": {"type": "string", "description": "GPX 1.1, the track"}
            },
        },
    },
    **problem_answers(
        {**_PROBLEMS, 406: "GPX needs latitude and longitude, which the index lacks"}
    ),
}
