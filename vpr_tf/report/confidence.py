"""How far the confidence of an answer can be trusted."""

from __future__ import annotations

from dataclasses import dataclass

from vpr_tf.report.intervals import Interval


@dataclass(frozen=True)
class CalibrationBin:
    """Queries of similar confidence.

    Attributes:
        num_queries: Their number.
        mean_confidence: What was promised, 0 to 1.
        precision: Share of right answers among them, 0 to 1.
    """

    num_queries: int
    mean_confidence: float
    precision: float


@dataclass(frozen=True)
class ConfidenceReport:
    """Quality of the confidence; an answer is right within `threshold_m`.

    Attributes:
        calibrated_on: Where the calibration was fitted, e.g. `val, 86 queries`.
        calibration: `isotonic` or `platt`.
        threshold_m: Largest error of a right answer.
        num_queries: Queries of known position with an answer.
        precision: Share of right answers when every query is answered, 0 to 1.
        coverage: Shares of the queries that are answered, most confident first,
            ascending to 1; one entry for each distinct confidence.
        precision_at_coverage: Share of right answers among them.
        threshold_at_coverage: The confidence from which on they are answered.
        area: Area under precision over coverage (1 minus the area under risk over
            coverage, AURC), queries of equal confidence in random order.
        best_area: The area if every right answer came before every wrong one.
        expected_calibration_error: Mean distance of confidence and precision over
            bins of equally many queries, 0 to 1.
        num_bins: Bins asked for; equal confidences stay together, so `bins` may be
            fewer.
        bins: The bins, confidence ascending.
        brier_score: Mean square of confidence minus outcome, 0 to 1.
        wanted_precision: What the threshold was chosen for.
        chosen_threshold: Confidence from which on queries are answered; NaN when none
            reaches the wanted precision, then nothing is answered.
        answered_coverage: Percent of the queries that are answered.
        answered_precision: Percent of right answers among them; NaN without answers.
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
    expected_calibration_error: Interval
    num_bins: int
    bins: list[CalibrationBin]
    brier_score: Interval
    wanted_precision: float
    chosen_threshold: float
    answered_coverage: Interval
    answered_precision: Interval
