"""The queries of a set localized, and what their confidence is worth."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from vpr_tf.config import LocalizationConfig
from vpr_tf.data.prepared_dataset import EvaluationSet
from vpr_tf.evaluation.results import EvaluationResult
from vpr_tf.localization import (
    Calibration,
    Candidates,
    CellSettings,
    Estimates,
    LookedAt,
    estimate_positions,
)
from vpr_tf.photos import PhotoTable
from vpr_tf.report.bootstrap import BootstrapSettings
from vpr_tf.report.confidence import ConfidenceReport, confidence_report
from vpr_tf.report.errors import ReportError

METHODS = ("cluster", "best_match")
FIRST_PLACE = "first_place"


@dataclass(frozen=True, eq=False)
class LocalizedQueries:
    """Where the queries of a set were taken, by each method.

    Attributes:
        method: The method of `estimates`.
        estimates: Its positions, with confidence if calibrated.
        error_m: Errors by method, `(num_queries,)`; NaN where unknown.
        calibration: What made the confidences; None without.
        inliers: Key points that each shares with its first match; NaN of those that
            were not compared, None where nothing is re-ranked.
    """

    method: str
    estimates: Estimates
    error_m: dict[str, np.ndarray]
    calibration: Calibration | None
    inliers: np.ndarray | None = None

    def columns(self) -> dict[str, np.ndarray]:
        """Returns their columns of per_query.csv."""
        others: dict[str, np.ndarray] = {}
        if len(self.error_m) > 1:
            others = {
                f"{name}_error_m": errors for name, errors in self.error_m.items()
            }
        if self.estimates.candidates.spread_m is not None:
            others["spread_m"] = self.estimates.candidates.spread_m
        if self.inliers is not None:
            others["inliers"] = self.inliers
        return {
            "predicted_latitude_deg": self.estimates.latitude_deg,
            "predicted_longitude_deg": self.estimates.longitude_deg,
            "error_m": self.error_m[self.method],
            "expected_error_m": self.estimates.expected_error_m,
            "confidence": self.estimates.confidence,
            "answered": self.estimates.localized,
            **others,
        }

    def judge_confidence(
        self, known: np.ndarray, settings: BootstrapSettings
    ) -> ConfidenceReport | None:
        """Judges the confidence on all queries of known position.

        A query without an estimate has confidence 0 and is not right.

        Args:
            known: Whether each query's position is known.
            settings: How intervals are made.

        Returns:
            None without calibration or queries of known position.
        """
        fitted = self.calibration
        if fitted is None or not known.any():
            return None
        return confidence_report(
            np.nan_to_num(self.estimates.confidence[known], nan=0.0),
            np.nan_to_num(self.error_m[self.method][known], nan=np.inf),
            self.estimates.localized[known],
            threshold_m=fitted.threshold_m,
            calibration=fitted.kind,
            calibrated_on=f"{fitted.fitted_on}, {fitted.num_queries:,} queries",
            wanted_precision=fitted.wanted_precision,
            chosen_threshold=fitted.min_confidence,
            settings=settings,
        )


def localize_queries(
    result: EvaluationResult,
    queries: PhotoTable,
    database: PhotoTable,
    settings: LocalizationConfig | CellSettings,
    calibration: Calibration | None = None,
    looked_at: LookedAt | None = None,
    reranked: Calibration | None = None,
) -> LocalizedQueries:
    """Localizes every query by its predictions, with all methods.

    Args:
        result: The predictions: photos, or places of heads.
        queries: The queries.
        database: The database; not looked at where heads predict places.
        settings: How photos become a position, by both methods; or of the heads,
            whose first place is the position.
        calibration: Gives confidences; None without.
        looked_at: Queries that were compared with their candidates; None without.
        reranked: Gives their confidences; None without.

    Raises:
        ReportError: There are settings of heads and no places.
    """
    if isinstance(settings, CellSettings):
        method, estimates = FIRST_PLACE, {}
        estimates[method] = estimate_positions(_cells(result), settings)
    else:
        method = settings.method
        matches = Candidates.from_matches(
            result.descriptor_distances,
            result.predictions,
            database,
            settings,
            queries.heading_deg,
        )
        estimates = {
            name: estimate_positions(
                matches, dataclasses.replace(settings, method=name)
            )
            for name in METHODS
        }
    error_m = {
        name: found.errors_m(queries.positions) for name, found in estimates.items()
    }
    given = estimates[method].calibrated(calibration)
    inliers = None
    if looked_at is not None and isinstance(settings, LocalizationConfig):
        for name in METHODS:
            of_method = dataclasses.replace(settings, method=name)
            second = looked_at.estimates(of_method, None)
            error_m[name][looked_at.queries] = second.errors_m(
                queries.positions.take(looked_at.queries)
            )
        second = looked_at.estimates(settings, reranked if calibration else None)
        given = given.replaced(looked_at.queries, second)
        inliers = np.full(len(queries), np.nan)
        if looked_at.candidates.inliers is not None:
            inliers[looked_at.queries] = looked_at.candidates.inliers[:, 0]
    return LocalizedQueries(method, given, error_m, calibration, inliers)


def _cells(result: EvaluationResult) -> Candidates:
    if result.places is None or result.scores is None or result.spread_m is None:
        raise ReportError(
            "Heads localize by predicted places. Received predictions of "
            f"{result.method}"
        )
    return Candidates.from_cells(
        result.places, result.predictions, result.scores, spread_m=result.spread_m
    )


def may_judge(calibrated_on: EvaluationSet | None, judged: EvaluationSet) -> bool:
    """Whether a calibration may be judged on a set: it has other queries."""
    return calibrated_on is None or calibrated_on.queries != judged.queries
