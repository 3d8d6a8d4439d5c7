"""Fits confidence and expected error on queries whose positions are known."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from vpr_tf.config import LocalizationConfig
from vpr_tf.localization.calibration import (
    Calibration,
    calibrated_settings,
    probability,
    weighted_score,
)
from vpr_tf.localization.curves import CONFIDENCE_CURVES, Curve, error_curve
from vpr_tf.localization.errors import LocalizationError
from vpr_tf.localization.estimates import Estimates
from vpr_tf.localization.reliability import (
    Reliability,
    expected_calibration_error,
    reliability_bins,
)
from vpr_tf.localization.scores import fit_scores

# "Within about": so many answers are at least as near as their expected error, the
# share that mobile systems state for the accuracy of a position.
ERROR_QUANTILE = 0.68
_NUM_FOLDS = 5


@dataclass(frozen=True)
class _Fit:
    """What is fitted on some queries."""

    feature_weights: dict[str, float]
    confidence: Curve
    error: Curve
    min_confidence: float

    def apply(self, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        scores = weighted_score(features, self.feature_weights)
        return probability(self.confidence.at(scores)), self.error.at(scores)


def fit_calibration(
    estimates: Estimates,
    errors_m: np.ndarray,
    config: LocalizationConfig,
    *,
    threshold_m: float,
    encoder_fingerprint: str,
    fitted_on: str,
    dataset_fingerprint: str = "",
    seed: int = 0,
) -> Calibration:
    """Fits the calibration of answers.

    Args:
        estimates: Answers of a set that nothing is reported on, e.g. val.
        errors_m: See `Estimates.errors_m`; queries with NaN are left out.
        config: What `estimates` were computed with; kind and wanted precision.
        threshold_m: Largest error of a right answer.
        encoder_fingerprint: Encoder of the descriptors.
        fitted_on: The set, for people.
        dataset_fingerprint: Its dataset.
        seed: Of the division into folds.

    Raises:
        LocalizationError: No query has an answer and a known position.
    """
    rows = np.flatnonzero(np.isfinite(errors_m))
    if not len(rows):
        raise LocalizationError(
            f"A calibration needs queries of known position. {fitted_on} has none that "
            "was answered; choose another set by --set."
        )
    features, errors_m = estimates.features[rows], errors_m[rows]
    right = errors_m <= threshold_m
    fit = _fit(features, errors_m, threshold_m, config, seed)
    confidence, _ = fit.apply(features)
    given = confidence >= fit.min_confidence
    return Calibration(
        kind=config.calibration,
        settings=calibrated_settings(config),
        encoder_fingerprint=encoder_fingerprint,
        fitted_on=fitted_on,
        dataset_fingerprint=dataset_fingerprint,
        num_queries=len(rows),
        num_right=int(right.sum()),
        threshold_m=float(threshold_m),
        feature_weights=fit.feature_weights,
        scores=fit.confidence.at_scores,
        log_odds=fit.confidence.values,
        error_scores=fit.error.at_scores,
        error_m=fit.error.values,
        error_quantile=ERROR_QUANTILE,
        min_votes=int(estimates.num_votes[rows].min()),
        wanted_precision=config.wanted_precision,
        min_confidence=fit.min_confidence,
        precision=float(right[given].mean()),
        coverage=float(given.mean()),
        reliability=_held_out(features, errors_m, threshold_m, config, seed),
    )


def _fit(
    features: np.ndarray,
    errors_m: np.ndarray,
    threshold_m: float,
    config: LocalizationConfig,
    seed: int,
) -> _Fit:
    right = errors_m <= threshold_m
    weights, scores = fit_scores(features, right, seed)
    confidence = CONFIDENCE_CURVES[config.calibration](scores, right)
    error = error_curve(scores, errors_m, ERROR_QUANTILE)
    given = probability(confidence.at(weighted_score(features, weights)))
    minimum = choose_min_confidence(given, right, config.wanted_precision)
    return _Fit(weights, confidence, error, minimum)


def choose_min_confidence(
    confidence: np.ndarray, right: np.ndarray, wanted_precision: float
) -> float:
    """Returns the confidence from which on answers are given.

    Args:
        confidence: 0 to 1, `(num_queries,)`, at least one.
        right: Whether each answer is right.
        wanted_precision: Share of right answers among those given.

    Returns:
        The one with the most answers that reaches the wanted precision even with one
        more wrong answer, since that of few answers is chance; if none does, the one
        that comes nearest.
    """
    thresholds, group = np.unique(-confidence, return_inverse=True)
    num_given = np.cumsum(np.bincount(group))
    precision = np.cumsum(np.bincount(group, right)) / (num_given + 1)
    enough = np.flatnonzero(precision >= min(wanted_precision, precision.max()))
    return float(-thresholds[enough[-1]])


def _held_out(
    features: np.ndarray,
    errors_m: np.ndarray,
    threshold_m: float,
    config: LocalizationConfig,
    seed: int,
) -> Reliability | None:
    """Fits on all folds but one and judges the answers of that one, for each."""
    num_queries = len(errors_m)
    num_folds = min(_NUM_FOLDS, num_queries)
    if num_folds < 2:
        return None
    fold = np.random.default_rng(seed).permutation(num_queries) % num_folds
    confidence, expected_m = np.empty((2, num_queries))
    given = np.empty(num_queries, bool)
    for number in range(num_folds):
        held_out = fold == number
        others = ~held_out
        fit = _fit(features[others], errors_m[others], threshold_m, config, seed)
        confidence[held_out], expected_m[held_out] = fit.apply(features[held_out])
        given[held_out] = confidence[held_out] >= fit.min_confidence
    right = errors_m <= threshold_m
    bins = reliability_bins(confidence, right)
    precision = float(right[given].mean()) if given.any() else math.nan
    return Reliability(
        bins=bins,
        expected_calibration_error=expected_calibration_error(bins),
        precision=None if math.isnan(precision) else precision,
        coverage=float(given.mean()),
        share_within_expected_error=float((errors_m <= expected_m).mean()),
        num_folds=num_folds,
    )
