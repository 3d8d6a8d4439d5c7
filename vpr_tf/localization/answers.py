"""The answer to one photo, with the photos that say so."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from vpr_tf.geo import UNKNOWN_HEADING_DEG
from vpr_tf.localization.calibration import Calibration
from vpr_tf.localization.estimates import Estimates
from vpr_tf.photos import PhotoTable


@dataclass(frozen=True)
class SupportingPhoto:
    """A photo of the index that an answer rests on.

    Attributes:
        key: Its name.
        latitude_deg: Where it was taken.
        longitude_deg: Where it was taken.
        heading_deg: Where it looks; None if unknown.
        timestamp: When it was taken, `YYYY[MM[DD[_hh[mm[ss]]]]]`; empty if unknown.
        distance: Squared distance of the descriptors.
        similarity: Cosine similarity of the descriptors.
    """

    key: str
    latitude_deg: float
    longitude_deg: float
    heading_deg: float | None
    timestamp: str
    distance: float
    similarity: float


@dataclass(frozen=True)
class LocatedPhoto:
    """Where a photo was taken; fields are None when they are not known.

    Attributes:
        photo: Path of the photo.
        answered: Whether the answer is given.
        reason: Why not; empty if it is.
        latitude_deg: Degrees; of a withheld answer too.
        longitude_deg: Degrees, -180 to 180.
        utm_east_m: Metres.
        utm_north_m: Metres.
        utm_zone: Signed, negative in the south.
        heading_deg: Where the photo looks.
        expected_error_m: Two of three such answers are at least this near.
        confidence: Probability of an error of at most the calibration's threshold.
    """

    photo: str
    answered: bool
    reason: str
    latitude_deg: float | None
    longitude_deg: float | None
    utm_east_m: float | None
    utm_north_m: float | None
    utm_zone: int | None
    heading_deg: float | None
    expected_error_m: float | None
    confidence: float | None


@dataclass(frozen=True)
class Answer(LocatedPhoto):
    """The answer of an index.

    Attributes:
        num_matches: Photos of the index that could have supported an answer.
        supporting_photos: Most similar first.
    """

    num_matches: int
    supporting_photos: list[SupportingPhoto]


def answers_of(
    names: list[str],
    estimates: Estimates,
    distances: np.ndarray,
    rows: np.ndarray,
    photos: PhotoTable,
    *,
    calibration: Calibration | None = None,
    min_confidence: float | None = None,
) -> list[Answer]:
    """Returns what people and programs read.

    Args:
        names: Paths of the queries.
        estimates: Of `estimate_positions`.
        distances: What it was given.
        rows: What it was given.
        photos: What it was given.
        calibration: What it was given.
        min_confidence: What it was given.
    """
    if min_confidence is None and calibration is not None:
        min_confidence = calibration.min_confidence
    answers = []
    for query, name in enumerate(names):
        columns = np.flatnonzero(estimates.supporting[query])
        supporting = _supporting_photos(
            distances[query, columns], photos.take(rows[query, columns])
        )
        values = {
            field: number_or_none(getattr(estimates, field)[query])
            for field in (
                "latitude_deg",
                "longitude_deg",
                "utm_east_m",
                "utm_north_m",
                "expected_error_m",
                "confidence",
            )
        }
        located = values["latitude_deg"] is not None
        answers.append(
            Answer(
                photo=name,
                answered=bool(estimates.answered[query]),
                reason=_reason(estimates, query, min_confidence),
                utm_zone=int(estimates.utm_zone[query]) if located else None,
                heading_deg=_heading(estimates.heading_deg[query]),
                num_matches=int(estimates.num_votes[query]),
                supporting_photos=supporting,
                **values,
            )
        )
    return answers


def _supporting_photos(
    distances: np.ndarray, photos: PhotoTable
) -> list[SupportingPhoto]:
    return [
        SupportingPhoto(
            key=photos.keys[i].decode(errors="replace"),
            latitude_deg=float(photos.positions.latitude_deg[i]),
            longitude_deg=float(photos.positions.longitude_deg[i]),
            heading_deg=_heading(photos.heading_deg[i]),
            timestamp=photos.timestamps[i].decode(errors="replace"),
            distance=float(distances[i]),
            similarity=1 - float(distances[i]) / 2,
        )
        for i in range(len(photos))
    ]


def _reason(estimates: Estimates, query: int, min_confidence: float | None) -> str:
    if estimates.answered[query]:
        return ""
    if not estimates.num_votes[query]:
        return "no match of known position"
    confidence = estimates.confidence[query]
    if math.isnan(confidence):
        return (
            f"{estimates.num_votes[query]} matches, fewer than any query of the "
            "calibration had (--min-confidence 0 answers nevertheless)"
        )
    return f"confidence {confidence:.2f} is below {min_confidence:.2f}"


def number_or_none(value: Any) -> float | None:
    """Returns a number, None for NaN."""
    return None if math.isnan(value) else float(value)


def _heading(heading_deg: Any) -> float | None:
    return None if heading_deg == UNKNOWN_HEADING_DEG else float(heading_deg)
