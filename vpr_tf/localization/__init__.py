"""From matches or predicted places to a position, an error and a confidence."""

from vpr_tf.localization.calibration import Calibration
from vpr_tf.localization.errors import LocalizationError
from vpr_tf.localization.estimates import Estimates, estimate_positions
from vpr_tf.localization.fitting import fit_calibration
from vpr_tf.localization.retrieval_calibration import (
    calibrate_on_queries,
    predictions_to_calibrate,
)

__all__ = [
    "Calibration",
    "Estimates",
    "LocalizationError",
    "calibrate_on_queries",
    "estimate_positions",
    "fit_calibration",
    "predictions_to_calibrate",
]
