"""Answers to the queries of a set, and what their confidence is worth."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from vpr_tf.config import LocalizationConfig
from vpr_tf.data.prepared_dataset import EvaluationSet
from vpr_tf.evaluation.encoder_on_dataset import EncoderOnDataset
from vpr_tf.evaluation.results import EvaluationResult
from vpr_tf.localization import (
    Calibration,
    Estimates,
    LocalizationError,
    calibrate_on_queries,
    estimate_positions,
    predictions_to_calibrate,
)
from vpr_tf.photo_table import PhotoTable
from vpr_tf.report.confidence import ConfidenceReport, confidence_report
from vpr_tf.report.intervals import BootstrapSettings

METHODS = ("cluster", "best_match")


@dataclass(frozen=True, eq=False)
class Answers:
    """The answers of both methods.

    Attributes:
        given: The answers of the method of the config, with confidence if calibrated.
        error_m: Errors by method, `(num_queries,)`; NaN where unknown.
        calibration: What made the confidences; None without.
        why_no_confidence: The reason when `calibration` is None, else empty.
    """

    given: Estimates
    error_m: dict[str, np.ndarray]
    calibration: Calibration | None
    why_no_confidence: str

    def columns(self, method: str) -> dict[str, np.ndarray]:
        """Returns the columns of per_query.csv that tell of the answers."""
        errors = {f"{name}_error_m": self.error_m[name] for name in METHODS}
        return {
            "predicted_latitude_deg": self.given.latitude_deg,
            "predicted_longitude_deg": self.given.longitude_deg,
            "error_m": self.error_m[method],
            "expected_error_m": self.given.expected_error_m,
            "confidence": self.given.confidence,
            "answered": self.given.answered,
            **errors,
        }


def answer(
    result: EvaluationResult,
    queries: PhotoTable,
    database: PhotoTable,
    config: LocalizationConfig,
    calibration: Calibration | None = None,
    why_no_confidence: str = "",
) -> Answers:
    """Locates every query by its predictions, with both methods."""
    error_m = {}
    for method in METHODS:
        estimates = _locate(
            result, queries, database, dataclasses.replace(config, method=method)
        )
        error_m[method] = estimates.errors_m(queries.positions)
    given = _locate(result, queries, database, config, calibration)
    return Answers(given, error_m, calibration, why_no_confidence)


def _locate(
    result: EvaluationResult,
    queries: PhotoTable,
    database: PhotoTable,
    config: LocalizationConfig,
    calibration: Calibration | None = None,
) -> Estimates:
    return estimate_positions(
        result.descriptor_distances,
        result.predictions,
        database,
        config,
        calibration=calibration,
        query_heading_deg=queries.heading_deg,
    )


def calibrate_on_val(
    opened: EncoderOnDataset, config: LocalizationConfig, seed: int
) -> tuple[Calibration | None, str]:
    """Fits the calibration on the val set of the same dataset, with the same encoder.

    Returns:
        The calibration, or None with the reason.
    """
    val = opened.dataset.val
    if val is None:
        return None, "the dataset has no val set to calibrate on"
    photos = [
        PhotoTable.of_split(opened.dataset.split(split))
        for split in (val.queries, val.database)
    ]
    if not all(map(len, photos)):
        return None, "the val set has no images to calibrate on"
    queries, database = photos
    result = opened.evaluate(val, predictions_to_calibrate(config))
    try:
        calibration = calibrate_on_queries(
            result.descriptor_distances,
            result.predictions,
            queries,
            database,
            config,
            threshold_m=result.positive_dist_threshold_m,
            encoder_fingerprint=opened.fingerprint,
            fitted_on="val",
            dataset_fingerprint=opened.dataset.fingerprint,
            seed=seed,
        )
    except LocalizationError as error:
        return None, f"val gives no calibration ({error})"
    return calibration, ""


def may_judge(calibrated_on: EvaluationSet | None, judged: EvaluationSet) -> bool:
    """Whether a calibration may be judged on a set: it has other queries."""
    return calibrated_on is None or calibrated_on.queries != judged.queries


def judge_confidence(
    answers: Answers, known: np.ndarray, method: str, settings: BootstrapSettings
) -> ConfidenceReport | None:
    """Judges the confidence on all queries of known position.

    A query without an answer has confidence 0 and is not right.

    Args:
        answers: The answers.
        known: Whether each query's position is known.
        method: The method of the config.
        settings: How intervals are made.

    Returns:
        None without calibration or queries of known position.
    """
    calibration = answers.calibration
    if calibration is None or not known.any():
        return None
    return confidence_report(
        np.nan_to_num(answers.given.confidence[known], nan=0.0),
        np.nan_to_num(answers.error_m[method][known], nan=np.inf),
        answers.given.answered[known],
        threshold_m=calibration.threshold_m,
        calibration=calibration.kind,
        calibrated_on=f"{calibration.fitted_on}, {calibration.num_queries:,} queries",
        wanted_precision=calibration.wanted_precision,
        chosen_threshold=calibration.min_confidence,
        settings=settings,
    )
