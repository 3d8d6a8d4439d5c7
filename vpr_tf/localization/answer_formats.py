"""Answers as a table, JSON and GeoJSON."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any, Protocol

from vpr_tf.localization.answers import Answer, LocatedPhoto
from vpr_tf.localization.calibration import Calibration

HEADER = ("photo", "latitude", "longitude", "within about", "confidence")
_NUMERIC = range(1, 5)
_DECIMALS_DEG = 7  # 1 cm
_LONGEST_NAME = 40  # in a table; JSON and GeoJSON have all of it


class Found(Protocol):
    """Answers of an index or of heads, as far as the formats look at them."""

    @property
    def notes(self) -> list[str]:
        """What to know of all answers."""

    @property
    def unreadable(self) -> list[tuple[str, str]]:
        """Path and reason of each photo that could not be read."""

    def rows(self) -> list[tuple[str, ...]]:
        """Returns the header and a row for each answer, as text."""

    def content(self) -> dict[str, Any]:
        """Returns all that is known, JSON-ready."""

    def features(self) -> list[dict[str, Any]]:
        """Returns GeoJSON features."""


@dataclass(frozen=True)
class Answers:
    """What `vpr localize` found by an index.

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

    def rows(self) -> list[tuple[str, ...]]:
        """See `Found.rows`."""
        header = (*HEADER, "matches that agree")
        return [header, *((*cells(a), _matches(a)) for a in self.answers)]

    def content(self) -> dict[str, Any]:
        """See `Found.content`."""
        return {
            "index": self.index,
            "encoder": self.encoder,
            "num_photos": self.num_photos,
            "calibration": summary(self.calibration),
            "notes": self.notes,
            "answers": [dataclasses.asdict(answer) for answer in self.answers],
        }

    def features(self) -> list[dict[str, Any]]:
        """See `Found.features`: a point for each answer and supporting photo."""
        features = []
        for answer in self.answers:
            properties = dataclasses.asdict(answer)
            del properties["supporting_photos"]
            properties["num_supporting"] = len(answer.supporting_photos)
            features.append(answer_feature(answer, properties))
            for photo in answer.supporting_photos if answer.answered else ():
                properties = {"kind": "supporting_photo", "photo": answer.photo}
                properties |= dataclasses.asdict(photo)
                features.append(feature(point(photo), properties))
        return features


def as_table(found: Found) -> str:
    """Returns a table for people, with what to know of it below."""
    rows = found.rows()
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(width) if column in _NUMERIC else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return "\n".join([*lines, *([""] if found.notes else []), *found.notes])


def as_json(found: Found) -> str:
    """Returns all that is known, unknown values as null."""
    unreadable = [
        {"photo": photo, "reason": reason} for photo, reason in found.unreadable
    ]
    content = {**found.content(), "unreadable": unreadable}
    return json.dumps(content, indent=2, allow_nan=False)


def as_geojson(found: Found) -> str:
    """Returns a point for each answer and for what it rests on.

    Photos without an answer are features without geometry.

    Reference:
        RFC 7946.
    """
    collection = {"type": "FeatureCollection", "features": found.features()}
    return json.dumps(collection, indent=2, allow_nan=False)


FORMATS = {"table": as_table, "json": as_json, "geojson": as_geojson}


def cells(answer: LocatedPhoto) -> tuple[str, ...]:
    """Returns the cells below `HEADER`."""
    confidence = "-" if answer.confidence is None else f"{answer.confidence:.2f}"
    if not answer.answered:
        return (_shortened(answer.photo), "-", "-", "-", confidence)
    error = answer.expected_error_m
    return (
        _shortened(answer.photo),
        f"{answer.latitude_deg:.6f}",
        f"{answer.longitude_deg:.6f}",
        "-" if error is None else _metres(error),
        confidence,
    )


def _matches(answer: Answer) -> str:
    if not answer.answered:
        return f"withheld: {answer.reason}"
    supporting = answer.supporting_photos
    best = _shortened(supporting[0].key)
    return f"{len(supporting)} of {answer.num_matches}, best: {best}"


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


def summary(calibration: Calibration | None) -> dict[str, Any] | None:
    """Returns what answers tell of their calibration."""
    if calibration is None:
        return None
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


def answer_feature(answer: LocatedPhoto, properties: dict[str, Any]) -> dict[str, Any]:
    """Returns the feature of an answer; without geometry if it is withheld."""
    degrees = ("latitude_deg", "longitude_deg")
    rest = {name: value for name, value in properties.items() if name not in degrees}
    place = point(answer) if answer.answered else None
    return feature(place, {"kind": "answer", **rest})


def point(place: Any) -> dict[str, Any]:
    """Returns the GeoJSON point of what has a latitude and a longitude."""
    longitude_deg = round(place.longitude_deg, _DECIMALS_DEG)
    latitude_deg = round(place.latitude_deg, _DECIMALS_DEG)
    return {"type": "Point", "coordinates": [longitude_deg, latitude_deg]}


def feature(
    geometry: dict[str, Any] | None, properties: dict[str, Any]
) -> dict[str, Any]:
    """Returns a GeoJSON feature."""
    return {"type": "Feature", "geometry": geometry, "properties": properties}
