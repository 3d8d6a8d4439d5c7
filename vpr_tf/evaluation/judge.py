"""Compares what was predicted with where the queries were taken."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vpr_tf.config import PROTOCOLS, STANDARD, EvaluationConfig, Protocol
from vpr_tf.data.prepared_dataset import EvaluationSet, PreparedDataset
from vpr_tf.evaluation.positives import positives_per_query
from vpr_tf.evaluation.protocols import dropped_queries, protocol_of
from vpr_tf.evaluation.recall import hits_matrix, recall_of_hits
from vpr_tf.evaluation.result_warnings import result_warnings
from vpr_tf.evaluation.results import EvaluationResult
from vpr_tf.evaluation.shared_images import SharedImages, shared_images
from vpr_tf.geo import Positions, distances_m


@dataclass(frozen=True, eq=False)
class Predictions:
    """Places that were predicted for queries, of whatever kind.

    Attributes:
        rows: Rows of `places`, int64 `(num_queries, k)`; -1 where there is none.
        descriptor_distances: Squared distances of the descriptors, same shape; NaN
            where predictions come without.
        places: Positions that are predicted.
        keys: Name of each prediction, bytes, same shape as `rows`.
        is_exact: Whether the best of all places are predicted.
        scores: Of each prediction, same shape; None for retrieval.
        spread_m: See `Candidates`; None for retrieval.
    """

    rows: np.ndarray
    descriptor_distances: np.ndarray
    places: Positions
    keys: np.ndarray
    is_exact: bool = True
    scores: np.ndarray | None = None
    spread_m: np.ndarray | None = None

    @classmethod
    def from_search(
        cls,
        dataset: PreparedDataset,
        database: str,
        rows: np.ndarray,
        distances: np.ndarray,
        is_exact: bool,
    ) -> Predictions:
        """Returns images of the split `database` that a search found."""
        split = dataset.split(database)
        places = split.positions()
        return cls(rows, distances, places, split.keys[rows], is_exact)


def judge(
    predictions: Predictions,
    dataset: PreparedDataset,
    evaluation_set: EvaluationSet,
    config: EvaluationConfig,
    *,
    method: str = "retrieval",
) -> EvaluationResult:
    """Compares predictions for the queries of a set with their true positions.

    Args:
        predictions: What was predicted.
        dataset: The prepared dataset.
        evaluation_set: Names of its database and query splits.
        config: Threshold and recall values.
        method: See `EvaluationResult`.
    """
    split = dataset.split(evaluation_set.queries)
    shared = None
    if predictions.scores is None:
        database = dataset.split(evaluation_set.database)
        distances = predictions.descriptor_distances
        shared = shared_images(split, database, predictions.rows, distances)
    return judge_positions(
        predictions,
        split.positions(),
        np.array(split.keys),
        recall_values=config.recall_values,
        threshold_m=config.positive_dist_threshold_m,
        protocol=protocol_of(config, evaluation_set.name),
        name=evaluation_set.name,
        dataset_fingerprint=dataset.fingerprint,
        method=method,
        shared=shared,
    )


def judge_positions(
    predictions: Predictions,
    queries: Positions,
    query_keys: np.ndarray,
    *,
    recall_values: Sequence[int],
    threshold_m: float,
    name: str,
    protocol: Protocol = PROTOCOLS[STANDARD],
    dataset_fingerprint: str = "",
    method: str = "retrieval",
    shared: SharedImages | None = None,
) -> EvaluationResult:
    """Measures recall as the official protocol does.

    A query counts as found at N when any of its first N predictions lies within the
    threshold, and queries without any positive stay in the denominator unless the
    protocol drops them. Queries of unknown position are predicted but not counted.

    Args:
        predictions: What was predicted.
        queries: Where the queries were taken.
        query_keys: Their names, bytes.
        recall_values: The values of N.
        threshold_m: Largest distance of a positive.
        name: Of the evaluation set.
        protocol: What queries without positives are.
        dataset_fingerprint: Of its dataset.
        method: See `EvaluationResult`.
        shared: Queries that are database images; None where that is not known.
    """
    places, rows, known = predictions.places, predictions.rows, queries.known
    positives = positives_per_query(queries, places, threshold_m)
    counts = np.array([len(found) for found in positives])
    num_positives = np.where(known, counts, -1)
    counted = known & ~dropped_queries(protocol, num_positives)
    hits = hits_matrix(rows, positives)
    result = EvaluationResult(
        name=name,
        recalls=recall_of_hits(hits[counted], recall_values),
        num_queries=len(queries),
        num_database=len(places),
        num_queries_without_positives=int(np.sum(num_positives == 0)),
        num_queries_without_position=int(np.sum(~known)),
        positive_dist_threshold_m=threshold_m,
        dataset_fingerprint=dataset_fingerprint,
        predictions=rows,
        descriptor_distances=predictions.descriptor_distances,
        distances_m=distances_m(queries, places, rows),
        hits=hits,
        num_positives=num_positives,
        query_keys=query_keys,
        predicted_keys=predictions.keys,
        is_exact=predictions.is_exact,
        method=method,
        protocol=protocol.name,
        scores=predictions.scores,
        spread_m=predictions.spread_m,
        places=None if predictions.scores is None else places,
    )
    warnings = result_warnings(result, queries, places, shared)
    return dataclasses.replace(result, warnings=warnings)
