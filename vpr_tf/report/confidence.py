"""How far the confidence of a localization can be trusted.

Reference:
    Geifman et al., arXiv:1805.08206 (area under the risk-coverage curve).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vpr_tf.localization.reliability import (
    NUM_BINS,
    ReliabilityBin,
    expected_calibration_error,
    reliability_bins,
)
from vpr_tf.report.bootstrap import (
    BootstrapSettings,
    bootstrap_means,
    bootstrap_statistics,
)
from vpr_tf.report.proportions import wilson_percentages
from vpr_tf.tables import Interval


@dataclass(frozen=True)
class ConfidenceReport:
    """Quality of the confidence; a localization is right within `threshold_m`.

    Attributes:
        calibrated_on: Where the calibration was fitted, e.g. `val, 86 queries`.
        calibration: `isotonic` or `platt`.
        threshold_m: Largest error of a right one.
        num_queries: Queries of known position.
        precision: Share of right ones when none is withheld, 0 to 1.
        coverage: Shares of the queries that are localized, most confident first,
            ascending to 1; one entry for each distinct confidence.
        precision_at_coverage: Share of right ones among them.
        threshold_at_coverage: The confidence from which on they are localized.
        area: Area under precision over coverage (1 minus the area under risk over
            coverage, AURC), queries of equal confidence in random order.
        best_area: The area if every right one came before every wrong one.
        expected_calibration_error: Mean distance of confidence and precision over
            bins of equally many queries, 0 to 1. Without an interval: chance only
            adds to it, so its resamples are no guide.
        num_bins: Bins at most; equal confidences stay together, so `bins` may be
            fewer.
        bins: The bins, confidence ascending.
        brier_score: Mean square of confidence minus outcome, 0 to 1.
        wanted_precision: What the threshold was chosen for.
        chosen_threshold: Confidence from which on queries are localized; NaN when none
            reaches the wanted precision, then all are withheld.
        answered_coverage: Percent of the queries that are localized.
        answered_precision: Percent of right ones among them; NaN without any.
    """

    calibrated_on: str
    calibration: str
    threshold_m: float
    num_queries: int
    precision: float
    coverage: list[float]
    precision_at_coverage: list[float]
    threshold_at_coverage: list[float]
    area: Interval
    best_area: float
    expected_calibration_error: float
    num_bins: int
    bins: list[ReliabilityBin]
    brier_score: Interval
    wanted_precision: float
    chosen_threshold: float
    answered_coverage: Interval
    answered_precision: Interval


def confidence_report(
    confidence: np.ndarray,
    error_m: np.ndarray,
    localized: np.ndarray,
    *,
    threshold_m: float,
    calibration: str,
    calibrated_on: str,
    wanted_precision: float,
    chosen_threshold: float,
    settings: BootstrapSettings,
) -> ConfidenceReport:
    """Judges confidences against the errors of their localizations.

    Args:
        confidence: 0 to 1, `(num_queries,)`, at least one query; only queries of
            known position that have an estimate.
        error_m: Errors of the estimates, same shape.
        localized: Whether each is given, not withheld, bool, same shape.
        threshold_m: Largest error of a right one.
        calibration: Name of the calibration.
        calibrated_on: Where it was fitted, for people.
        wanted_precision: What the threshold was chosen for.
        chosen_threshold: Confidence from which on localizations are given.
        settings: How intervals are made.
    """
    right = error_m <= threshold_m
    _, group = np.unique(-confidence, return_inverse=True)
    (area,) = bootstrap_statistics(_areas, np.stack([group, right], axis=1), settings)
    (brier,) = bootstrap_means(((confidence - right) ** 2)[:, None], settings)
    (coverage,) = wilson_percentages(localized[:, None], settings.level)
    (precision,) = wilson_percentages(right[localized][:, None], settings.level)
    thresholds, shares, precisions = precision_over_coverage(confidence, right)
    bins = reliability_bins(confidence, right)
    return ConfidenceReport(
        calibrated_on=calibrated_on,
        calibration=calibration,
        threshold_m=threshold_m,
        num_queries=len(right),
        precision=float(right.mean()),
        coverage=shares.tolist(),
        precision_at_coverage=precisions.tolist(),
        threshold_at_coverage=thresholds.tolist(),
        area=area,
        best_area=area_under_precision(right.astype(float), right),
        expected_calibration_error=expected_calibration_error(bins),
        num_bins=NUM_BINS,
        bins=bins,
        brier_score=brier,
        wanted_precision=wanted_precision,
        chosen_threshold=chosen_threshold,
        answered_coverage=coverage,
        answered_precision=precision,
    )


def precision_over_coverage(
    confidence: np.ndarray, right: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the curve of localizing the most confident queries first.

    Returns:
        For each distinct confidence, descending: itself, the share of queries that
        are at least as confident, and the share of right ones among them.
    """
    thresholds, group = np.unique(-confidence, return_inverse=True)
    num_localized = np.cumsum(np.bincount(group, minlength=len(thresholds)))
    num_right = np.cumsum(np.bincount(group, right, minlength=len(thresholds)))
    return -thresholds, num_localized / len(right), num_right / num_localized


def area_under_precision(confidence: np.ndarray, right: np.ndarray) -> float:
    """Returns the mean precision over the coverages 1/n, 2/n, ... 1.

    Queries of equal confidence count as if in random order: the right ones among
    the first of them grow evenly.
    """
    _, group = np.unique(-confidence, return_inverse=True)
    return float(_areas(np.stack([group, right], axis=1)[None])[0, 0])


def _areas(samples: np.ndarray) -> np.ndarray:
    """Returns the area of each sample `(num_samples, 1)`.

    Args:
        samples: `(num_samples, num_queries, 2)`: the number of a query's confidence,
            from 0 for the highest, and whether it is right.
    """
    num_samples, num_queries, _ = samples.shape
    groups = int(samples[:, :, 0].max()) + 1
    cells = (samples[:, :, 0] + np.arange(num_samples)[:, None] * groups).astype(int)
    shape, length = (num_samples, groups), num_samples * groups
    size = np.bincount(cells.ravel(), minlength=length).reshape(shape)
    weights = samples[:, :, 1].ravel()
    right = np.bincount(cells.ravel(), weights, minlength=length).reshape(shape)
    before = np.cumsum(size, axis=1) - size
    right_before = np.cumsum(right, axis=1) - right
    # In a group, the precision after k localizations is
    # (right_before + right * (k - before) / size) / k; its sum has a closed form.
    harmonic = np.concatenate([[0], np.cumsum(1 / np.arange(1, num_queries + 1))])
    sums = harmonic[before + size] - harmonic[before]
    share = right / np.maximum(size, 1)
    total = right_before * sums + share * (size - before * sums)
    return total.sum(axis=1, keepdims=True) / num_queries
