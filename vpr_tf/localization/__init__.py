"""From matches or predicted places to a position, an error and a confidence."""

from vpr_tf.localization.calibration import Calibration
from vpr_tf.localization.errors import LocalizationError
from vpr_tf.localization.estimates import Estimates, estimate_positions
from vpr_tf.localization.fitting import fit_calibration
from vpr_tf.localization.place_answers import PlaceAnswers, answer_places
from vpr_tf.localization.place_features import PlaceSettings
from vpr_tf.localization.predictor_calibration import (
    calibrate_predictor,
    calibrate_trained,
)
from vpr_tf.localization.retrieval_calibration import (
    calibrate_on_queries,
    predictions_to_calibrate,
)
from vpr_tf.localization.stored_calibration import load_calibration, save_calibration

__all__ = [
    "Calibration",
    "Estimates",
    "LocalizationError",
    "PlaceAnswers",
    "PlaceSettings",
    "answer_places",
    "calibrate_on_queries",
    "calibrate_predictor",
    "calibrate_trained",
    "estimate_positions",
    "fit_calibration",
    "load_calibration",
    "predictions_to_calibrate",
    "save_calibration",
]
