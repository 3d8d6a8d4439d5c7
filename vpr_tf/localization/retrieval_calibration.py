"""Calibration on the queries of an evaluation set."""

from __future__ import annotations

import numpy as np

from vpr_tf.config import LocalizationConfig
from vpr_tf.geo import distances_m
from vpr_tf.localization.calibration import Calibration
from vpr_tf.localization.candidates import Candidates
from vpr_tf.localization.estimates import Estimates, estimate_positions
from vpr_tf.localization.fitting import FittedOn, fit_calibration
from vpr_tf.photos import PhotoTable
from vpr_tf.search import MISSING_ID

_DEPTH = 5  # a place has at most so many times the photos that vote
# Photos or places so near to a query, in thresholds, are left out as if it had been
# taken elsewhere.
THRESHOLDS_AROUND = 2.0


def predictions_to_calibrate(config: LocalizationConfig) -> int:
    """Returns how many predictions of each query `calibrate_on_queries` wants.

    More than vote, so that enough are left without those near the query.
    """
    return _DEPTH * config.num_predictions


def calibrate_on_queries(
    distances: np.ndarray,
    rows: np.ndarray,
    queries: PhotoTable,
    photos: PhotoTable,
    config: LocalizationConfig,
    fitted_on: FittedOn,
) -> Calibration:
    """Fits the calibration on queries whose positions are known.

    Every query counts twice: as it is, and as if it had been taken elsewhere, with the
    photos near it left out. So photos from outside the index get a low confidence.

    Args:
        distances: Squared distances of the descriptors `(num_queries, k)`, k being at
            best `predictions_to_calibrate(config)`.
        rows: Rows of `photos`, same shape; -1 where missing.
        queries: Positions are the truth; headings are used.
        photos: The database.
        config: How matches become a position.
        fitted_on: The set of the queries.

    Raises:
        LocalizationError: No query has a candidate and a known position.
    """
    candidates = Candidates.from_matches(
        distances, rows, photos, config, queries.heading_deg
    )
    estimates = estimate_positions(candidates, config)
    outside = estimate_outside(
        distances, rows, queries, photos, config, fitted_on.threshold_m
    )
    errors_m = estimates.errors_m(queries.positions)
    return fit_calibration(estimates, errors_m, config, fitted_on, outside)


def estimate_outside(
    distances: np.ndarray,
    rows: np.ndarray,
    queries: PhotoTable,
    photos: PhotoTable,
    config: LocalizationConfig,
    threshold_m: float,
) -> Estimates:
    """Locates queries without the photos near them: no position can be right.

    Args:
        distances: See `calibrate_on_queries`.
        rows: Same.
        queries: Same; those of unknown position get no candidate.
        photos: Same.
        config: Same.
        threshold_m: Photos within twice this are left out.
    """
    metres = distances_m(queries.positions, photos.positions, rows)
    far = metres > THRESHOLDS_AROUND * threshold_m
    candidates = Candidates.from_matches(
        np.where(far, distances, np.inf),
        np.where(far, rows, MISSING_ID),
        photos,
        config,
        queries.heading_deg,
    )
    return estimate_positions(candidates, config)
