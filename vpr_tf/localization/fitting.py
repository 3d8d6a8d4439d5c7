"""Fits confidence and expected error on queries whose positions are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vpr_tf.config import LocalizationConfig
from vpr_tf.localization.calibration import (
    Calibration,
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
from vpr_tf.localization.samples import Samples
from vpr_tf.localization.scores import fit_scores

# "Within about": so many positions are at least as near as their expected error, the
# share that mobile systems state for the accuracy of a position.
ERROR_QUANTILE = 0.68
_NUM_FOLDS = 5


@dataclass(frozen=True)
class FittedOn:
    """The set that a calibration is fitted on.

    Attributes:
        name: For people, e.g. `val of sf_xs_dark`.
        threshold_m: Largest error of a right position.
        encoder_fingerprint: Encoder of the descriptors.
        dataset_fingerprint: Dataset of the set; empty if it is of none.
        seed: Of the division into folds.
    """

    name: str
    threshold_m: float
    encoder_fingerprint: str
    dataset_fingerprint: str = ""
    seed: int = 0


def fit_calibration(
    estimates: Estimates,
    errors_m: np.ndarray,
    config: LocalizationConfig,
    fitted_on: FittedOn,
    outside: Estimates | None = None,
) -> Calibration:
    """Fits the calibration of positions.

    Args:
        estimates: Of a set that nothing is reported on, e.g. val.
        errors_m: See `Estimates.errors_m`; queries with NaN are left out.
        config: Kind of the curve, wanted precision, share of photos from outside.
        fitted_on: The set.
        outside: Of the same queries without the photos or cells near them:
            `config.outside_share` of the photos to come. None if every photo to come
            is taken where there are some.

    Raises:
        LocalizationError: No query has a candidate and a known position.
    """
    seed, threshold_m = fitted_on.seed, fitted_on.threshold_m
    samples = Samples.from_estimates(
        estimates, errors_m, outside, config.outside_share, threshold_m
    )
    if not len(samples):
        raise LocalizationError(
            f"A calibration needs queries of known position. {fitted_on.name} has none "
            "with a candidate; choose another set by --set."
        )
    fit = _fit(samples, config, seed)
    localized = fit.suffices(samples.features)
    absent = samples.outside[np.isfinite(samples.outside).all(axis=1)]
    return Calibration(
        kind=config.calibration,
        settings=estimates.settings,
        encoder_fingerprint=fitted_on.encoder_fingerprint,
        fitted_on=fitted_on.name,
        dataset_fingerprint=fitted_on.dataset_fingerprint,
        num_queries=len(samples),
        num_right=int(samples.right.sum()),
        threshold_m=float(threshold_m),
        feature_weights=fit.feature_weights,
        scores=fit.confidence_curve.at_scores,
        log_odds=fit.confidence_curve.values,
        error_scores=fit.error_curve.at_scores,
        error_m=fit.error_curve.values,
        error_quantile=ERROR_QUANTILE,
        min_votes=int(estimates.num_votes[np.isfinite(errors_m)].min()),
        wanted_precision=config.wanted_precision,
        min_confidence=fit.min_confidence,
        precision=float(samples.right[localized].mean()) if localized.any() else 0.0,
        coverage=float(localized.mean()),
        outside_answered=float(fit.suffices(absent).mean()) if len(absent) else None,
        reliability=_held_out(samples, config, seed),
    )


@dataclass(frozen=True)
class _Fit:
    """What is fitted on some queries."""

    feature_weights: dict[str, float]
    confidence_curve: Curve
    error_curve: Curve
    min_confidence: float

    def confidence(self, features: np.ndarray) -> np.ndarray:
        scores = weighted_score(features, self.feature_weights)
        return probability(self.confidence_curve.at(scores))

    def suffices(self, features: np.ndarray) -> np.ndarray:
        return np.asarray(self.confidence(features) >= self.min_confidence)

    def expected_error_m(self, features: np.ndarray) -> np.ndarray:
        return self.error_curve.at(weighted_score(features, self.feature_weights))


def _fit(samples: Samples, config: LocalizationConfig, seed: int) -> _Fit:
    features, right, counts = samples.with_outside()
    weights, scores = fit_scores(features, right, counts, seed, samples.feature_set)
    curve = CONFIDENCE_CURVES[config.calibration](scores, right, counts)
    confidence = probability(curve.at(weighted_score(features, weights)))
    return _Fit(
        weights,
        curve,
        error_curve(scores[: len(samples)], samples.errors_m, ERROR_QUANTILE),
        choose_min_confidence(confidence, right, counts, config.wanted_precision),
    )


def choose_min_confidence(
    confidence: np.ndarray,
    right: np.ndarray,
    counts: np.ndarray,
    wanted_precision: float,
) -> float:
    """Returns the confidence below which positions are withheld.

    Args:
        confidence: 0 to 1, `(num_queries,)`, at least one.
        right: Whether each position is right.
        counts: How many queries each stands for.
        wanted_precision: Share of right positions among those not withheld.

    Returns:
        The one with the most right positions, and then the fewest wrong ones, that
        reaches the wanted precision even with one more wrong one, since that of few is
        chance; if none does, the one that comes nearest.
    """
    thresholds, group = np.unique(-confidence, return_inverse=True)
    num_given = np.cumsum(np.bincount(group, counts))
    num_right = np.bincount(group, counts * right)
    precision = np.cumsum(num_right) / (num_given + 1)
    if num_right.any():
        precision[num_right == 0] = -1.0  # lower, for wrong ones only
    enough = np.flatnonzero(precision >= min(wanted_precision, precision.max()))
    return float(-thresholds[enough[-1]])


def _held_out(
    samples: Samples, config: LocalizationConfig, seed: int
) -> Reliability | None:
    """Fits on all folds but one and judges the positions of that one, for each."""
    num_queries = len(samples)
    num_folds = min(_NUM_FOLDS, num_queries)
    if num_folds < 2:
        return None
    fold = np.random.default_rng(seed).permutation(num_queries) % num_folds
    confidence, expected_m = np.empty((2, num_queries))
    localized = np.empty(num_queries, bool)
    for number in range(num_folds):
        held_out = fold == number
        others = samples.take(np.flatnonzero(~held_out))
        fit = _fit(others, config, seed)
        features = samples.features[held_out]
        confidence[held_out] = fit.confidence(features)
        expected_m[held_out] = fit.expected_error_m(features)
        localized[held_out] = fit.suffices(features)
    bins = reliability_bins(confidence, samples.right)
    return Reliability(
        bins=bins,
        expected_calibration_error=expected_calibration_error(bins),
        precision=float(samples.right[localized].mean()) if localized.any() else None,
        coverage=float(localized.mean()),
        share_within_expected_error=float((samples.errors_m <= expected_m).mean()),
        num_folds=num_folds,
    )
