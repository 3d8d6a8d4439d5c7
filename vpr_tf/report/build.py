"""Measures all that a report holds."""

from __future__ import annotations

import numpy as np

from vpr_tf.config import ExperimentConfig
from vpr_tf.data.prepared_dataset import EvaluationSet
from vpr_tf.evaluation.evaluation import Evaluation
from vpr_tf.evaluation.positives import positives_per_query
from vpr_tf.evaluation.protocols import counted_queries
from vpr_tf.evaluation.results import EvaluationResult
from vpr_tf.evaluation.val_calibration import ValCalibration
from vpr_tf.photos import PhotoTable
from vpr_tf.report.bootstrap import BootstrapSettings
from vpr_tf.report.brightness import mean_luma
from vpr_tf.report.error_distribution import error_distribution
from vpr_tf.report.localized_queries import LocalizedQueries, localize_queries
from vpr_tf.report.per_query import (
    identity_columns,
    prediction_columns,
    query_columns,
    rank_columns,
)
from vpr_tf.report.query_attributes import (
    QueryAttributes,
    measure_attributes,
    stratifications,
)
from vpr_tf.report.recalls import HitRanks, hit_ranks, recall_table
from vpr_tf.report.report import Identity, Report
from vpr_tf.report.smoothness import measure_smoothness
from vpr_tf.report.suspects import suspect_labels


def build_report(
    opened: Evaluation,
    evaluation_set: EvaluationSet,
    result: EvaluationResult,
    config: ExperimentConfig,
    calibration: ValCalibration,
) -> Report:
    """Measures one encoder on one evaluation set.

    Args:
        opened: The encoder and the dataset.
        evaluation_set: The set.
        result: What `opened.evaluate` found on it.
        config: Localization, report, partition and seed.
        calibration: Fitted on other queries of this dataset.
    """
    first, why_no_confidence = calibration.first, calibration.why_none
    looked_at = None
    if opened.reranking is not None:
        looked_at = opened.reranking.looks.get(evaluation_set.name)
    dataset = opened.dataset
    queries, database = (
        dataset.split(split).photo_table()
        for split in (evaluation_set.queries, evaluation_set.database)
    )
    threshold_m = result.positive_dist_threshold_m
    counted = counted_queries(queries, result.dropped)
    hits = hit_ranks(
        result.predictions,
        counted.positions,
        database.positions if result.places is None else result.places,
        [*config.report.thresholds_m, threshold_m],
    )
    attributes = measure_attributes(
        dataset,
        config.partition_name,
        queries,
        database,
        positives_per_query(queries.positions, database.positions, threshold_m),
        mean_luma(dataset.split(evaluation_set.queries)),
    )
    smoothness = None
    if opened.model.predictor is not None:
        num_candidates = config.localization.num_predictions
        settings = opened.model.predictor.settings(num_candidates)
        localized = localize_queries(result, counted, database, settings, first)
    else:
        localized = localize_queries(
            result,
            counted,
            database,
            config.localization,
            first,
            looked_at,
            calibration.reranked,
        )
        smoothness = measure_smoothness(
            opened.descriptors(evaluation_set.database),
            database,
            near_m=threshold_m,
            num_pairs=config.report.num_pairs,
            seed=config.seed,
        )
    photos = (queries, counted, database)
    identity = _identity(opened, result)
    parts = _judged(identity, result, photos, hits, attributes, localized, config)
    if parts["confidence"] is None and not queries.positions.known.any():
        why_no_confidence = "no query has a known position"
    return Report(
        identity=identity,
        smoothness=smoothness,
        result=result,
        why_no_confidence=why_no_confidence,
        **parts,
    )


def _judged(
    identity: Identity,
    result: EvaluationResult,
    photos: tuple[PhotoTable, PhotoTable, PhotoTable],
    hits: HitRanks,
    attributes: QueryAttributes,
    localized: LocalizedQueries,
    config: ExperimentConfig,
) -> dict:
    """Returns the fields of a report that need no pixels and no descriptors."""
    queries, counted, database = photos
    threshold_m = result.positive_dist_threshold_m
    settings = BootstrapSettings(config.report.num_resamples, seed=config.seed)
    known = counted.positions.known
    return {
        "bootstrap": settings,
        "positive_dist_threshold_m": threshold_m,
        "recalls": recall_table(hits, list(result.recalls), settings),
        "errors": {
            name: error_distribution(errors, known, threshold_m, settings)
            for name, errors in localized.error_m.items()
        },
        "answer_method": localized.method,
        "confidence": localized.judge_confidence(known, settings),
        "strata": stratifications(
            attributes,
            counted,
            result.hits[:, 0],
            threshold_m=threshold_m,
            dark_luma_below=config.report.dark_luma_below,
            level=settings.level,
        ),
        "left_out_strata": attributes.left_out,
        "queries_without_positives": _names(queries, result.num_positives == 0),
        "queries_without_position": _names(queries, result.num_positives < 0),
        "per_query": {
            **query_columns(queries),
            "num_positives": np.where(
                result.num_positives < 0, np.nan, result.num_positives
            ),
            **localized.columns(),
            **prediction_columns(result, queries, database),
            **rank_columns(hits),
            **attributes.columns,
            "is_suspect": suspect_labels(result, database.positions),
            **identity_columns(identity),
        },
    }


def _names(queries: PhotoTable, chosen: np.ndarray) -> list[str]:
    return [key.decode(errors="replace") for key in queries.keys[chosen].tolist()]


def _identity(opened: Evaluation, result: EvaluationResult) -> Identity:
    search = "exact" if result.is_exact else "approximate"
    if result.places is not None:
        search = "heads"
    if opened.reranking is not None:
        search += ", re-ranked"
    return Identity(
        set_name=result.name,
        dataset_fingerprint=result.dataset_fingerprint,
        encoder_fingerprint=opened.extractor.fingerprint,
        encoder=opened.extractor.description,
        preprocessing=str(opened.extractor.preprocessing),
        search=search,
        num_queries=result.num_queries,
        num_database=result.num_database,
        method=result.method,
        engine=opened.extractor.engine,
        protocol=result.protocol,
    )
