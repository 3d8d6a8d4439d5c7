"""Where queries were taken, from the places that heads name."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from vpr_tf.classification.place_features import PlaceSettings, place_features
from vpr_tf.classification.predictions import PlacePredictions
from vpr_tf.geo import UNKNOWN_ZONE, Positions, distances_m
from vpr_tf.localization.calibration import Calibration
from vpr_tf.localization.errors import LocalizationError


@dataclass(frozen=True, eq=False)
class PlaceAnswers:
    """Answers of heads, one entry a query.

    Attributes:
        positions: The first place of each query; zone 0 where there is none.
        heading_deg: Its heading; -1 where unknown.
        spread_m: See `PlacePredictions`.
        expected_error_m: See `Estimates`; NaN without calibration.
        confidence: Probability that the error is at most `Calibration.threshold_m`;
            NaN without calibration.
        answered: Whether there is a place and, with a calibration, its confidence
            suffices. A withheld answer keeps its position.
        features: See `place_features`.
        num_votes: Places that the features were computed from.
    """

    positions: Positions
    heading_deg: np.ndarray
    spread_m: np.ndarray
    expected_error_m: np.ndarray
    confidence: np.ndarray
    answered: np.ndarray
    features: np.ndarray
    num_votes: np.ndarray

    def __len__(self) -> int:
        return len(self.answered)

    @property
    def latitude_deg(self) -> np.ndarray:
        """Float64; NaN without a place."""
        return np.where(self.positions.known, self.positions.latitude_deg, np.nan)

    @property
    def longitude_deg(self) -> np.ndarray:
        """Float64; NaN without a place."""
        return np.where(self.positions.known, self.positions.longitude_deg, np.nan)

    def errors_m(self, queries: Positions) -> np.ndarray:
        """Returns how far each answer, given or withheld, is from the truth.

        Args:
            queries: Where the queries were taken.

        Returns:
            Metres `(num_queries,)`; NaN where either position is unknown.
        """
        rows = np.arange(len(self))[:, None]
        return distances_m(queries, self.positions, rows)[:, 0]


def answer_places(
    predictions: PlacePredictions,
    settings: PlaceSettings,
    *,
    calibration: Calibration | None = None,
    min_confidence: float | None = None,
) -> PlaceAnswers:
    """Answers each query by its first place.

    Args:
        predictions: At best `settings.num_predictions` places a query, best first.
        settings: What the features are computed with.
        calibration: Gives confidences and expected errors.
        min_confidence: Answers below are withheld; None for what the calibration
            says.

    Raises:
        LocalizationError: The calibration is of other settings.
    """
    features = place_features(predictions, settings)
    first = predictions.rows[:, 0]
    located = first >= 0
    positions = predictions.places.take(first)
    positions = dataclasses.replace(
        positions, utm_zone=np.where(located, positions.utm_zone, UNKNOWN_ZONE)
    )
    num_votes = (predictions.rows[:, : settings.num_predictions] >= 0).sum(axis=1)
    confidence = expected_error_m = np.full(len(located), np.nan)
    answered = located
    if calibration is not None:
        check_place_settings(calibration, settings)
        confidence, expected_error_m = calibration.apply(features, num_votes)
        answered = located & calibration.is_given(confidence, min_confidence)
    return PlaceAnswers(
        positions,
        predictions.heading_deg,
        predictions.spread_m,
        expected_error_m,
        confidence,
        answered,
        features,
        num_votes,
    )


def check_place_settings(calibration: Calibration, settings: PlaceSettings) -> None:
    """Compares the settings that answers are computed with.

    Raises:
        LocalizationError: The calibration is of other settings.
    """
    for name, value in settings.to_dict().items():
        if calibration.settings.get(name) != value:
            raise LocalizationError(
                f"The calibration was fitted with {name}="
                f"{calibration.settings.get(name)}. Received: {value}. Calibrate again."
            )
