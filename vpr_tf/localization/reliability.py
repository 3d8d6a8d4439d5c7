"""How far confidences are from what happened."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vpr_tf.tables import Column, Table

NUM_BINS = 10


@dataclass(frozen=True)
class ReliabilityBin:
    """Positions of similar confidence.

    Attributes:
        num_queries: Their number.
        mean_confidence: What was promised, 0 to 1.
        precision: Share of right positions among them, 0 to 1.
    """

    num_queries: int
    mean_confidence: float
    precision: float


@dataclass(frozen=True)
class Reliability:
    """Confidences of queries that their calibration was not fitted on.

    Attributes:
        bins: Confidence ascending.
        expected_calibration_error: Mean distance of confidence and precision over the
            bins, weighted by their queries, 0 to 1.
        precision: Share of right positions among those not withheld; None if all are.
        coverage: Share of the queries that are localized.
        share_within_expected_error: Share of positions within their expected error.
        num_folds: Parts that the queries were divided into.
    """

    bins: list[ReliabilityBin]
    expected_calibration_error: float
    precision: float | None
    coverage: float
    share_within_expected_error: float
    num_folds: int

    def table(self) -> str:
        """Returns the bins as a markdown table."""
        columns = [Column("confidence", digits=2), Column("queries")]
        rows = [
            (entry.mean_confidence, entry.num_queries, entry.precision)
            for entry in self.bins
        ]
        return Table("", [*columns, Column("right", digits=2)], rows).to_markdown()


def reliability_bins(
    confidence: np.ndarray, right: np.ndarray, num_bins: int = NUM_BINS
) -> list[ReliabilityBin]:
    """Divides positions into bins of about equally many, equal confidences together.

    Args:
        confidence: 0 to 1, `(num_queries,)`, at least one.
        right: Whether each position is right, same shape.
        num_bins: Most bins.
    """
    edges = np.unique(np.quantile(confidence, np.arange(1, num_bins) / num_bins))
    numbers = np.searchsorted(edges, confidence, "left")
    return [
        ReliabilityBin(
            num_queries=int(inside.sum()),
            mean_confidence=float(confidence[inside].mean()),
            precision=float(right[inside].mean()),
        )
        for inside in (numbers == number for number in np.unique(numbers))
    ]


def expected_calibration_error(bins: list[ReliabilityBin]) -> float:
    """Returns the mean distance of confidence and precision, weighted by queries.

    Reference:
        Naeini et al., "Obtaining Well Calibrated Probabilities Using Bayesian
        Binning", AAAI 2015.
    """
    total = sum(entry.num_queries for entry in bins)
    return sum(
        entry.num_queries * abs(entry.mean_confidence - entry.precision) / total
        for entry in bins
    )
