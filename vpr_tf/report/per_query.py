"""Columns of per_query.csv.

See `per_query_file` for what they mean.
"""

from __future__ import annotations

import numpy as np

from vpr_tf.evaluation.results import EvaluationResult
from vpr_tf.geo import heading_differences_deg
from vpr_tf.photos import PhotoTable
from vpr_tf.report.hit_ranks import UNKNOWN, HitRanks
from vpr_tf.report.per_query_file import hit_rank_column
from vpr_tf.report.query_facts import nearest_database_m
from vpr_tf.report.report import Identity

NUM_PREDICTIONS = 3  # listed with their distances


def query_columns(queries: PhotoTable) -> dict[str, np.ndarray]:
    """Returns the columns that tell where and when queries were taken."""
    positions = queries.positions
    known = positions.known
    heading = queries.heading_deg.astype(np.float64)
    return {
        "key": queries.keys,
        "latitude_deg": np.where(known, positions.latitude_deg, np.nan),
        "longitude_deg": np.where(known, positions.longitude_deg, np.nan),
        "utm_east_m": np.where(known, positions.utm_east_cm / 100, np.nan),
        "utm_north_m": np.where(known, positions.utm_north_cm / 100, np.nan),
        "utm_zone": np.where(known, positions.utm_zone, np.nan),
        "heading_deg": np.where(heading < 0, np.nan, heading),
        "timestamp": queries.timestamps,
    }


def prediction_columns(
    result: EvaluationResult, queries: PhotoTable, database: PhotoTable
) -> dict[str, np.ndarray]:
    """Returns the columns of the first predictions."""
    columns: dict[str, np.ndarray] = {}
    value = "similarity" if result.scores is None else "score"
    values = result.scores
    if values is None:
        values = 1 - result.descriptor_distances.astype(np.float64) / 2
    for rank in range(min(NUM_PREDICTIONS, result.predictions.shape[1])):
        missing = result.predictions[:, rank] < 0
        name = f"prediction_{rank + 1}"
        columns[name] = np.where(missing, b"", result.predicted_keys[:, rank])
        columns[f"{name}_m"] = result.distances_m[:, rank]
        columns[f"{name}_{value}"] = np.where(missing, np.nan, values[:, rank])
    if result.places is not None:
        nearest_m = nearest_database_m(queries.positions, result.places)
        return {**columns, "nearest_place_m": nearest_m}
    first = result.predictions[:, 0]
    turn = heading_differences_deg(queries.heading_deg, database.heading_deg[first])
    columns["prediction_1_turn_deg"] = np.where(first < 0, np.nan, turn)
    return columns


def rank_columns(hits: HitRanks) -> dict[str, np.ndarray]:
    """Returns the columns of the ranks of the first positives."""
    return {
        hit_rank_column(threshold_m): np.where(ranks == UNKNOWN, np.nan, ranks)
        for threshold_m, ranks in zip(hits.thresholds_m, hits.ranks, strict=True)
    }


def identity_columns(identity: Identity) -> dict[str, np.ndarray]:
    """Returns the columns that are the same in every row."""
    names = (
        "set_name",
        "dataset_fingerprint",
        "encoder_fingerprint",
        "preprocessing",
        "search",
    )
    texts = [getattr(identity, name) for name in names]
    return {
        name: np.full(identity.num_queries, text[:12] if "print" in name else text)
        for name, text in zip(names, texts, strict=True)
    }
