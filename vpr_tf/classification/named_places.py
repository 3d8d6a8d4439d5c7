"""The answer of heads to one photo, with the places that they hold for likely."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from vpr_tf.classification.place_answers import PlaceAnswers
from vpr_tf.classification.place_features import SAME_PLACE_M
from vpr_tf.classification.predictions import PlacePredictions
from vpr_tf.geo import ecef
from vpr_tf.localization.answers import LocatedPhoto, number_or_none
from vpr_tf.localization.calibration import Calibration

# Cells of different groups lie beside each other: those that see the same place name
# different centres.
_AGREE_M = 2 * SAME_PLACE_M


@dataclass(frozen=True)
class NamedPlace:
    """A place that heads hold for likely.

    Attributes:
        latitude_deg: Degrees.
        longitude_deg: Degrees.
        heading_deg: Where photos of the class look; None if it has no heading.
        score: The higher the likelier; of a regression always 0.
    """

    latitude_deg: float
    longitude_deg: float
    heading_deg: float | None
    score: float


@dataclass(frozen=True)
class PlaceAnswer(LocatedPhoto):
    """The answer of heads.

    Attributes:
        spread_m: How far the groups' best places lie from each other.
        num_groups: Groups that have a place of their own each.
        num_agreeing: Groups whose best place is within 50 m of the answer.
        places: Likeliest first; the first is the answer.
    """

    spread_m: float | None
    num_groups: int | None
    num_agreeing: int | None
    places: list[NamedPlace]


def place_answers_of(
    names: list[str],
    answers: PlaceAnswers,
    predictions: PlacePredictions,
    place_heading_deg: np.ndarray,
    group_rows: np.ndarray | None,
    *,
    num_places: int,
    calibration: Calibration | None = None,
    min_confidence: float | None = None,
) -> list[PlaceAnswer]:
    """Returns what people and programs read.

    Args:
        names: Paths of the queries.
        answers: Of `answer_places`.
        predictions: What it was given.
        place_heading_deg: Heading of each of `predictions.places`; -1 where unknown.
        group_rows: The best place of each group, see `best_of_groups`.
        num_places: Places listed for each query, at most.
        calibration: What `answer_places` was given.
        min_confidence: Same.
    """
    if min_confidence is None and calibration is not None:
        min_confidence = calibration.min_confidence
    agreeing = _agreeing(predictions, group_rows)
    found = []
    positions, utm_m = answers.positions, answers.positions.utm_cm / 100
    for query, name in enumerate(names):
        known = bool(positions.known[query])
        rows = predictions.rows[query, :num_places]
        found.append(
            PlaceAnswer(
                photo=name,
                answered=bool(answers.answered[query]),
                reason=_reason(answers, query, min_confidence),
                latitude_deg=number_or_none(answers.latitude_deg[query]),
                longitude_deg=number_or_none(answers.longitude_deg[query]),
                utm_east_m=utm_m[query, 0].item() if known else None,
                utm_north_m=utm_m[query, 1].item() if known else None,
                utm_zone=int(positions.utm_zone[query]) if known else None,
                heading_deg=_heading(answers.heading_deg[query]),
                expected_error_m=number_or_none(answers.expected_error_m[query]),
                confidence=number_or_none(answers.confidence[query]),
                spread_m=number_or_none(answers.spread_m[query]),
                num_groups=None if group_rows is None else group_rows.shape[1],
                num_agreeing=None if agreeing is None else int(agreeing[query]),
                places=[
                    NamedPlace(
                        float(predictions.places.latitude_deg[row]),
                        float(predictions.places.longitude_deg[row]),
                        _heading(place_heading_deg[row]),
                        float(score),
                    )
                    for row, score in zip(rows, predictions.scores[query], strict=False)
                    if row >= 0
                ],
            )
        )
    return found


def _agreeing(
    predictions: PlacePredictions, group_rows: np.ndarray | None
) -> np.ndarray | None:
    """Counts the groups whose best place is near the answer."""
    if group_rows is None:
        return None
    places = predictions.places

    def points(rows: np.ndarray) -> np.ndarray:
        return ecef.from_lat_lon(places.latitude_deg[rows], places.longitude_deg[rows])

    offset_m = points(group_rows) - points(predictions.rows[:, :1])
    return np.asarray((np.linalg.norm(offset_m, axis=2) <= _AGREE_M).sum(axis=1))


def _reason(answers: PlaceAnswers, query: int, min_confidence: float | None) -> str:
    if answers.answered[query]:
        return ""
    confidence = answers.confidence[query]
    if not answers.positions.known[query] or math.isnan(confidence):
        return "no place"
    return f"confidence {confidence:.2f} is below {min_confidence:.2f}"


def _heading(heading_deg: Any) -> float | None:
    return None if heading_deg < 0 else float(heading_deg)
