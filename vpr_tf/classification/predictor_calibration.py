"""Calibration of heads on the queries of an evaluation set."""

from __future__ import annotations

import numpy as np

from vpr_tf.classification.classifier import PlaceClassifier
from vpr_tf.classification.place_answers import answer_places
from vpr_tf.classification.place_features import PlaceSettings
from vpr_tf.classification.predictor import PlacePredictor
from vpr_tf.classification.unseen_places import predict_outside
from vpr_tf.config import LocalizationConfig
from vpr_tf.geo import Positions
from vpr_tf.localization.calibration import Calibration
from vpr_tf.localization.feature_sets import PLACES
from vpr_tf.localization.fitting import fit_calibration
from vpr_tf.localization.retrieval_calibration import THRESHOLDS_AROUND


def calibrate_predictor(
    predictor: PlacePredictor,
    descriptors: np.ndarray,
    queries: Positions,
    config: LocalizationConfig,
    *,
    threshold_m: float,
    encoder_fingerprint: str,
    fitted_on: str,
    dataset_fingerprint: str = "",
    seed: int = 0,
) -> Calibration:
    """Fits the calibration of heads on queries whose positions are known.

    Every query counts twice: as it is, and as if it had been taken where the heads
    know no place, see `predict_outside`. Regressions have no places to leave out, so
    that they are believed outside of their map.

    Args:
        predictor: Heads, scored as they will be.
        descriptors: Of the queries, `(num_queries, descriptor_dim)`.
        queries: Where they were taken.
        config: Kind, wanted precision, and how many places are looked at.
        threshold_m: Largest error of a right answer.
        encoder_fingerprint: Encoder of the descriptors.
        fitted_on: The set, for people.
        dataset_fingerprint: Its dataset.
        seed: Of the division into folds.

    Raises:
        LocalizationError: No query has an answer and a known position.
        ClassificationError: The descriptors do not fit the heads.
    """
    descriptors = np.asarray(descriptors, np.float32)
    settings = PlaceSettings.of(predictor, config.num_predictions)
    n = settings.num_predictions
    answers = answer_places(predictor.predict(descriptors, n), settings)
    outside = None
    if isinstance(predictor, PlaceClassifier) and config.outside_share:
        radius_m = THRESHOLDS_AROUND * threshold_m
        elsewhere = predict_outside(
            predictor, descriptors, queries, radius_m=radius_m, n=n
        )
        outside = answer_places(elsewhere, settings)
    return fit_calibration(
        answers,
        answers.errors_m(queries),
        config,
        threshold_m=threshold_m,
        encoder_fingerprint=encoder_fingerprint,
        fitted_on=fitted_on,
        dataset_fingerprint=dataset_fingerprint,
        outside=outside,
        seed=seed,
        settings=settings.to_dict(),
        features_of=PLACES,
    )
