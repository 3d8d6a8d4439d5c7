"""From the matches of a query to a position, an expected error and a confidence."""

from vpr_tf.localization.calibration import Calibration
from vpr_tf.localization.errors import LocalizationError
from vpr_tf.localization.estimates import Estimates, estimate_positions
from vpr_tf.localization.evaluated_queries import (
    calibrate_on_queries,
    predictions_to_calibrate,
)
from vpr_tf.localization.fitting import fit_calibration

__all__ = [
    "Calibration",
    "Estimates",
    "LocalizationError",
    "calibrate_on_queries",
    "estimate_positions",
    "fit_calibration",
    "predictions_to_calibrate",
]
