"""The worst failures with their pictures: of high confidence, and wrong."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from vpr_tf.data.prepared_dataset import EvaluationSet, PreparedDataset, SplitIndex
from vpr_tf.geo import distances_m, ecef, heading_differences_deg
from vpr_tf.photos import PhotoTable
from vpr_tf.report.pictures import Shot, take_shot
from vpr_tf.report.report import Report
from vpr_tf.tables import metres, number

_SAME_PLACE_M = 1.0  # of such photos, the one that looks the query's way is shown


@dataclass(frozen=True)
class Failure:
    """A query that was localized wrongly.

    Attributes:
        query: The query.
        text: Its error and confidence.
        predictions: The first ones.
        nearest: The photo nearest to the query, a positive if there is one.
        nearest_rank: Where that stands among the predictions, from 1; 0 if nowhere.
        num_predictions: How many were looked through for it.
    """

    query: Shot
    text: str
    predictions: list[Shot]
    nearest: Shot
    nearest_rank: int
    num_predictions: int


def worst_queries(report: Report, most: int) -> np.ndarray:
    """Returns rows of queries that have positives and were localized wrongly.

    Those of the highest confidence come first; of equal confidence, or without any,
    those most similar to their first prediction.
    """
    result = report.result
    wrong = report.per_query["error_m"] > report.positive_dist_threshold_m
    rows = np.flatnonzero(wrong & (result.num_positives > 0))
    confidence = np.nan_to_num(report.per_query["confidence"][rows], nan=-1.0)
    alike = -result.descriptor_distances[rows, 0]
    if result.scores is not None:
        alike = result.scores[rows, 0]
    return rows[np.lexsort((rows, -alike, -confidence))][:most]


def failures(
    report: Report,
    dataset: PreparedDataset,
    evaluation_set: EvaluationSet,
    *,
    most: int = 20,
    num_predictions: int = 4,
    rows: np.ndarray | None = None,
) -> list[Failure] | None:
    """Returns the worst queries with what was predicted and what was to be found.

    Args:
        report: Numbers and predictions.
        dataset: The prepared dataset that they were measured on.
        evaluation_set: Names of its splits.
        most: Number of queries.
        num_predictions: Predictions shown for each.
        rows: Other queries than the worst.

    Returns:
        None where there is no database photo of known position.
    """
    splits = (
        dataset.split(evaluation_set.queries),
        dataset.split(evaluation_set.database),
    )
    queries, database = (split.photo_table() for split in splits)
    if not database.positions.known.any():
        return None
    result = report.result
    photos = photos_of_predictions(report, database)
    found = []
    shown = worst_queries(report, most) if rows is None else rows[:most]
    for row in shown.tolist():
        ranks = range(min(num_predictions, result.predictions.shape[1]))
        nearest, nearest_m = _nearest(queries, database, row)
        ranked = np.flatnonzero(result.predictions[row] == nearest)
        if result.places is not None:
            ranked = np.flatnonzero(result.hits[row])
        found.append(
            Failure(
                take_shot(splits[0], row),
                _text(report, row),
                [
                    _prediction(report, splits[1], int(photos[row, rank]), row, rank)
                    for rank in ranks
                ],
                take_shot(
                    splits[1],
                    nearest,
                    metres(nearest_m),
                    is_positive=nearest_m <= report.positive_dist_threshold_m,
                ),
                int(ranked[0]) + 1 if len(ranked) else 0,
                result.predictions.shape[1],
            )
        )
    return found


def photos_of_predictions(report: Report, database: PhotoTable) -> np.ndarray:
    """Returns the database photo that stands for each prediction.

    Args:
        report: Its predictions are photos, or places.
        database: Has a photo of known position.

    Returns:
        Rows `(num_queries, k)`: the predictions themselves, or the photo nearest to
        each place; -1 where there is no prediction.
    """
    result = report.result
    if result.places is None:
        return result.predictions
    from scipy.spatial import cKDTree

    known = np.flatnonzero(database.positions.known)
    used, number = np.unique(result.predictions, return_inverse=True)
    tree = cKDTree(ecef.from_positions(database.positions.take(known)))
    _, nearest = tree.query(ecef.from_positions(result.places.take(used)))
    photos = known[nearest[number.reshape(result.predictions.shape)]]
    return np.where(result.predictions < 0, -1, photos)


def _text(report: Report, query: int) -> str:
    columns = report.per_query
    parts = [f"error {metres(float(columns['error_m'][query]))}"]
    confidence = float(columns["confidence"][query])
    if math.isfinite(confidence):
        parts.append(f"confidence {number(confidence, 2)}")
    if not columns["answered"][query]:
        parts.append("withheld")
    return ", ".join(parts)


def _prediction(
    report: Report, database: SplitIndex, row: int, query: int, rank: int
) -> Shot:
    """Returns a prediction with its distance to the query and its similarity."""
    if row < 0:
        return take_shot(database, row, "none")
    result = report.result
    similarity = 1 - float(result.descriptor_distances[query, rank]) / 2
    if result.scores is not None:
        similarity = float(result.scores[query, rank])
    text = metres(float(result.distances_m[query, rank]))
    if math.isfinite(similarity):
        text += f", {similarity:.3f}"
    is_positive = bool(result.hits[query, rank])
    return take_shot(database, row, text, is_positive=is_positive)


def _nearest(
    queries: PhotoTable, database: PhotoTable, query: int
) -> tuple[int, float]:
    """Returns the nearest database photo; of a panorama, the crop of its direction."""
    one = np.array([query])
    everything = np.arange(len(database))[None]
    away_m = distances_m(queries.positions.take(one), database.positions, everything)[0]
    same = np.flatnonzero(away_m <= np.nanmin(away_m) + _SAME_PLACE_M)
    turn = heading_differences_deg(database.heading_deg[same], queries.heading_deg[one])
    turn = np.nan_to_num(turn, nan=360)
    row = int(same[np.lexsort((same, away_m[same], turn))[0]])
    return row, float(away_m[row])
