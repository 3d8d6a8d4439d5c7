"""Calibration on the queries of an evaluation set."""

from __future__ import annotations

import numpy as np

from vpr_tf.config import LocalizationConfig
from vpr_tf.geo import distances_m
from vpr_tf.localization.calibration import Calibration
from vpr_tf.localization.candidates import Candidates
from vpr_tf.localization.estimates import Estimates, estimate_positions
from vpr_tf.localization.fitting import FittedOn, fit_calibration
from vpr_tf.localization.second_look import LookedAt, SecondLook, wide_config
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
    most = config.num_predictions
    if config.rerank.when != "never":
        most = max(most, config.rerank.candidates)
    return _DEPTH * most


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


def calibrate_reranked(
    distances: np.ndarray,
    rows: np.ndarray,
    queries: PhotoTable,
    photos: PhotoTable,
    config: LocalizationConfig,
    fitted_on: FittedOn,
    look: SecondLook,
) -> Calibration:
    """Fits the calibration of re-ranked candidates; see `calibrate_on_queries`.

    All queries are compared with their candidates, those of low confidence or not:
    the features of the first look are among those of the second.

    Args:
        distances: See `calibrate_on_queries`.
        rows: Same.
        queries: Same.
        photos: Same.
        config: Same.
        fitted_on: Same.
        look: How candidates are re-ranked.

    Raises:
        LocalizationError: No query has a candidate and a known position, or none can
            be compared.
    """
    far = _far(rows, queries, photos, fitted_on.threshold_m)
    everyone = np.arange(len(queries))
    looks = [
        LookedAt.of(
            Candidates.from_matches(
                *matches, photos, wide_config(config), queries.heading_deg
            ),
            everyone,
            look,
            config,
        )
        for matches in ((distances, rows), _only(far, distances, rows))
    ]
    # With a place or without, a query is compared, or it is not.
    if len({tuple(one.queries.tolist()) for one in looks}) > 1:
        both = np.intersect1d(looks[0].queries, looks[1].queries)
        looks = [one.of_queries(both) for one in looks]
    estimates, outside = (one.estimates(config, None) for one in looks)
    errors_m = estimates.errors_m(queries.positions.take(looks[0].queries))
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
    far = _far(rows, queries, photos, threshold_m)
    candidates = Candidates.from_matches(
        *_only(far, distances, rows), photos, config, queries.heading_deg
    )
    return estimate_positions(candidates, config)


def _far(
    rows: np.ndarray, queries: PhotoTable, photos: PhotoTable, threshold_m: float
) -> np.ndarray:
    """Returns which matches cannot show the place of their query."""
    metres = distances_m(queries.positions, photos.positions, rows)
    return np.asarray(metres > THRESHOLDS_AROUND * threshold_m)


def _only(
    kept: np.ndarray, distances: np.ndarray, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns distances and rows of some matches."""
    return np.where(kept, distances, np.inf), np.where(kept, rows, MISSING_ID)
