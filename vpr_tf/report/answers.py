"""Answers to the queries of a set, and what their confidence is worth."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from vpr_tf.classification import (
    PlacePredictor,
    calibrate_predictor,
)
from vpr_tf.config import LocalizationConfig
from vpr_tf.data.prepared_dataset import EvaluationSet
from vpr_tf.evaluation.encoder_on_dataset import EncoderOnDataset
from vpr_tf.evaluation.results import EvaluationResult
from vpr_tf.localization import (
    Calibration,
    Candidates,
    CellSettings,
    Estimates,
    LocalizationError,
    calibrate_on_queries,
    estimate_positions,
    predictions_to_calibrate,
)
from vpr_tf.photos import PhotoTable
from vpr_tf.report.bootstrap import BootstrapSettings
from vpr_tf.report.confidence import ConfidenceReport, confidence_report
from vpr_tf.report.errors import ReportError

METHODS = ("cluster", "best_match")
FIRST_PLACE = "first_place"


@dataclass(frozen=True, eq=False)
class Answers:
    """The answers of each method.

    Attributes:
        method: The method whose answers are given.
        given: Its answers, with confidence if calibrated.
        error_m: Errors by method, `(num_queries,)`; NaN where unknown.
        calibration: What made the confidences; None without.
        why_no_confidence: The reason when `calibration` is None, else empty.
    """

    method: str
    given: Estimates
    error_m: dict[str, np.ndarray]
    calibration: Calibration | None
    why_no_confidence: str

    def columns(self) -> dict[str, np.ndarray]:
        """Returns the columns of per_query.csv that tell of the answers."""
        others: dict[str, np.ndarray] = {}
        if len(self.error_m) > 1:
            others = {
                f"{name}_error_m": errors for name, errors in self.error_m.items()
            }
        if self.given.candidates.spread_m is not None:
            others["spread_m"] = self.given.candidates.spread_m
        return {
            "predicted_latitude_deg": self.given.latitude_deg,
            "predicted_longitude_deg": self.given.longitude_deg,
            "error_m": self.error_m[self.method],
            "expected_error_m": self.given.expected_error_m,
            "confidence": self.given.confidence,
            "answered": self.given.localized,
            **others,
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
    return Answers(config.method, given, error_m, calibration, why_no_confidence)


def answer_by_heads(
    result: EvaluationResult,
    queries: PhotoTable,
    settings: CellSettings,
    calibration: Calibration | None = None,
    why_no_confidence: str = "",
) -> Answers:
    """Answers every query by the first place that heads predicted."""
    given = estimate_positions(_cells(result), settings, calibration=calibration)
    error_m = {FIRST_PLACE: given.errors_m(queries.positions)}
    return Answers(FIRST_PLACE, given, error_m, calibration, why_no_confidence)


def _cells(result: EvaluationResult) -> Candidates:
    if result.places is None or result.scores is None or result.spread_m is None:
        raise ReportError(
            "Answers of heads need predicted places. Received predictions of "
            f"{result.method}"
        )
    return Candidates.from_cells(
        result.places, result.predictions, result.scores, spread_m=result.spread_m
    )


def _locate(
    result: EvaluationResult,
    queries: PhotoTable,
    database: PhotoTable,
    config: LocalizationConfig,
    calibration: Calibration | None = None,
) -> Estimates:
    candidates = Candidates.from_matches(
        result.descriptor_distances,
        result.predictions,
        database,
        config,
        queries.heading_deg,
    )
    return estimate_positions(candidates, config, calibration=calibration)


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
    if opened.predictor is not None:
        return _calibrate_heads(opened, opened.predictor, val, config, seed)
    photos = [
        opened.dataset.split(split).photo_table()
        for split in (val.queries, val.database)
    ]
    if not all(map(len, photos)):
        return None, "the val set has no images to calibrate on"
    queries, database = photos
    result = opened.evaluate(val, predictions_to_calibrate(config))
    return _fitted(
        opened,
        seed,
        calibrate_on_queries,
        result.descriptor_distances,
        result.predictions,
        queries,
        database,
        config,
    )


def _calibrate_heads(
    opened: EncoderOnDataset,
    predictor: PlacePredictor,
    val: EvaluationSet,
    config: LocalizationConfig,
    seed: int,
) -> tuple[Calibration | None, str]:
    queries = opened.dataset.split(val.queries).photo_table()
    if not len(queries):
        return None, "the val set has no images to calibrate on"
    return _fitted(
        opened,
        seed,
        calibrate_predictor,
        predictor,
        opened.descriptors(val.queries),
        queries.positions,
        config,
    )


def _fitted(
    opened: EncoderOnDataset,
    seed: int,
    calibrate: Callable[..., Calibration],
    *queries: Any,
) -> tuple[Calibration | None, str]:
    """Calibrates on queries of val; returns None with the reason if that cannot be."""
    try:
        calibration = calibrate(
            *queries,
            threshold_m=opened.loaded.evaluation.positive_dist_threshold_m,
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
    answers: Answers, known: np.ndarray, settings: BootstrapSettings
) -> ConfidenceReport | None:
    """Judges the confidence on all queries of known position.

    A query without an answer has confidence 0 and is not right.

    Args:
        answers: The answers.
        known: Whether each query's position is known.
        settings: How intervals are made.

    Returns:
        None without calibration or queries of known position.
    """
    calibration = answers.calibration
    if calibration is None or not known.any():
        return None
    return confidence_report(
        np.nan_to_num(answers.given.confidence[known], nan=0.0),
        np.nan_to_num(answers.error_m[answers.method][known], nan=np.inf),
        answers.given.localized[known],
        threshold_m=calibration.threshold_m,
        calibration=calibration.kind,
        calibrated_on=f"{calibration.fitted_on}, {calibration.num_queries:,} queries",
        wanted_precision=calibration.wanted_precision,
        chosen_threshold=calibration.min_confidence,
        settings=settings,
    )
