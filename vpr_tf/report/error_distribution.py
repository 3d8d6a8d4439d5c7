"""How far the estimated positions are from the true ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vpr_tf.report.bootstrap import (
    BootstrapSettings,
    bootstrap_means,
    bootstrap_quantiles,
)
from vpr_tf.report.proportions import wilson_percentages
from vpr_tf.tables import Interval

_QUANTILES = (0.5, 0.75, 0.9)
_CDF_RESOLUTION = 200  # points of the distribution function at most


@dataclass(frozen=True)
class ErrorDistribution:
    """Errors in metres over the queries of known position.

    Attributes:
        num_queries: Queries with a known position and an estimate.
        num_unanswerable: Queries of known position without an estimate (no prediction
            of known position); in no number below.
        median_m: Half of the errors are smaller.
        mean_m: Arithmetic mean; a few far ones dominate it.
        p75_m: Three quarters of the errors are smaller.
        p90_m: Nine tenths of the errors are smaller.
        within_threshold: Percent of errors of at most `threshold_m`.
        threshold_m: The set's positive distance.
        cdf_error_m: Errors at which the distribution function is given, ascending.
        cdf_percent: Percent of errors that are at most as large.
    """

    num_queries: int
    num_unanswerable: int
    median_m: Interval
    mean_m: Interval
    p75_m: Interval
    p90_m: Interval
    within_threshold: Interval
    threshold_m: float
    cdf_error_m: list[float]
    cdf_percent: list[float]


def error_distribution(
    error_m: np.ndarray,
    known: np.ndarray,
    threshold_m: float,
    settings: BootstrapSettings,
) -> ErrorDistribution:
    """Describes the errors of the estimates, withheld ones included.

    Args:
        error_m: Error of each query's estimate, `(num_queries,)`; NaN without one.
        known: Whether each query's position is known.
        threshold_m: Largest error of a right one.
        settings: How intervals are made.
    """
    estimated = known & np.isfinite(error_m)
    errors = error_m[estimated]
    median, p75, p90 = bootstrap_quantiles(errors, _QUANTILES, settings)
    (mean,) = bootstrap_means(errors[:, None], settings)
    within = (errors <= threshold_m)[:, None]
    errors = np.sort(errors)
    points = np.arange(len(errors))
    if len(errors) > _CDF_RESOLUTION:
        points = np.rint(np.linspace(0, len(errors) - 1, _CDF_RESOLUTION)).astype(int)
    return ErrorDistribution(
        num_queries=len(errors),
        num_unanswerable=int(np.sum(known & ~estimated)),
        median_m=median,
        mean_m=mean,
        p75_m=p75,
        p90_m=p90,
        within_threshold=wilson_percentages(within, settings.level)[0],
        threshold_m=threshold_m,
        cdf_error_m=errors[points].tolist(),
        cdf_percent=(
            np.searchsorted(errors, errors[points], "right") / max(len(errors), 1) * 100
        ).tolist(),
    )
