"""Answers as a table, JSON and GeoJSON."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

from vpr_tf.localization.answers import Answer
from vpr_tf.localization.calibration import Calibration

_HEADER = (
    "photo",
    "latitude",
    "longitude",
    "within about",
    "confidence",
    "matches that agree",
)
_NUMERIC = range(1, 5)
_DECIMALS_DEG = 7  # 1 cm
_LONGEST_NAME = 40  # in a table; JSON and GeoJSON have all of it


@dataclass(frozen=True)
class Answers:
    """What a run of `vpr_tf.localize` found.

    Attributes:
        index: Folder of the index.
        encoder: What described the photos.
        num_photos: Photos of the index.
        calibration: What confidences come from; None without.
        notes: What to know of all answers.
        answers: One for each photo that could be read.
        unreadable: Path and reason of each other photo.
    """

    index: str
    encoder: str
    num_photos: int
    calibration: Calibration | None
    notes: list[str]
    answers: list[Answer]
    unreadable: list[tuple[str, str]]


def as_table(found: Answers) -> str:
    """Returns a table for people, with what to know of it below."""
    rows = [_HEADER, *(_row(answer) for answer in found.answers)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(width) if column in _NUMERIC else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return "\n".join([*lines, *([""] if found.notes else []), *found.notes])


def as_json(found: Answers) -> str:
    """Returns all that is known, unknown values as null."""
    calibration = found.calibration
    content = {
        "index": found.index,
        "encoder": found.encoder,
        "num_photos": found.num_photos,
        "calibration": calibration and _summary(calibration),
        "notes": found.notes,
        "answers": [dataclasses.asdict(answer) for answer in found.answers],
        "unreadable": [
            {"photo": photo, "reason": reason} for photo, reason in found.unreadable
        ],
    }
    return json.dumps(content, indent=2, allow_nan=False)


def as_geojson(found: Answers) -> str:
    """Returns a point for each answer and each supporting photo.

    Photos without an answer are features without geometry.

    Reference:
        RFC 7946.
    """
    features = []
    for answer in found.answers:
        properties = dataclasses.asdict(answer)
        del properties["supporting_photos"]
        for name in ("latitude_deg", "longitude_deg"):
            del properties[name]
        properties["num_supporting"] = len(answer.supporting_photos)
        point = _point(answer) if answer.answered else None
        features.append(_feature(point, {"kind": "answer", **properties}))
        if not answer.answered:
            continue
        for photo in answer.supporting_photos:
            properties = {"kind": "supporting_photo", "photo": answer.photo}
            properties |= dataclasses.asdict(photo)
            features.append(_feature(_point(photo), properties))
    collection = {"type": "FeatureCollection", "features": features}
    return json.dumps(collection, indent=2, allow_nan=False)


FORMATS = {"table": as_table, "json": as_json, "geojson": as_geojson}


def _row(answer: Answer) -> tuple[str, ...]:
    confidence = "-" if answer.confidence is None else f"{answer.confidence:.2f}"
    if not answer.answered:
        reason = f"withheld: {answer.reason}"
        return (_shortened(answer.photo), "-", "-", "-", confidence, reason)
    error = answer.expected_error_m
    supporting = answer.supporting_photos
    best = _shortened(supporting[0].key)
    return (
        _shortened(answer.photo),
        f"{answer.latitude_deg:.6f}",
        f"{answer.longitude_deg:.6f}",
        "-" if error is None else _metres(error),
        confidence,
        f"{len(supporting)} of {answer.num_matches}, best: {best}",
    )


def _shortened(name: str) -> str:
    """Returns the start and the end of a long name."""
    if len(name) <= _LONGEST_NAME:
        return name
    start = (_LONGEST_NAME - 1) // 2
    return f"{name[:start]}…{name[start + 1 - _LONGEST_NAME :]}"


def _metres(metres: float) -> str:
    if metres < 10:
        return f"{metres:.1f} m"
    return f"{metres:,.0f} m" if metres < 10_000 else f"{metres / 1000:,.0f} km"


def _summary(calibration: Calibration) -> dict[str, Any]:
    names = (
        "kind",
        "fitted_on",
        "num_queries",
        "threshold_m",
        "error_quantile",
        "wanted_precision",
        "min_confidence",
        "precision",
        "coverage",
    )
    return {name: getattr(calibration, name) for name in names}


def _point(place: Any) -> dict[str, Any]:
    longitude_deg = round(place.longitude_deg, _DECIMALS_DEG)
    latitude_deg = round(place.latitude_deg, _DECIMALS_DEG)
    return {"type": "Point", "coordinates": [longitude_deg, latitude_deg]}


def _feature(
    geometry: dict[str, Any] | None, properties: dict[str, Any]
) -> dict[str, Any]:
    return {"type": "Feature", "geometry": geometry, "properties": properties}
