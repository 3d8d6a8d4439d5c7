"""How far the answered positions are from the true ones."""

from __future__ import annotations

from dataclasses import dataclass

from vpr_tf.report.intervals import Interval


@dataclass(frozen=True)
class ErrorDistribution:
    """Errors in metres over the queries of known position.

    Attributes:
        num_queries: Queries with a known position and an answer.
        num_unanswerable: Queries of known position without any answer (no prediction
            of known position); in no number below.
        median_m: Half of the errors are smaller.
        mean_m: Arithmetic mean; a few far answers dominate it.
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
