"""The worst failures with their pictures: sure of it, and wrong."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from vpr_tf.data.prepared_dataset import EvaluationSet, PreparedDataset, SplitIndex
from vpr_tf.geo import distances_m, ecef, heading_differences_deg
from vpr_tf.photos.photo_table import PhotoTable
from vpr_tf.report.report import Report

_HEIGHT = 220  # pixels, nearly twice of what the page shows: sharp on any screen
_QUALITIES = (80, 65, 50, 35, 20)
_MOST_BYTES = 24_000  # of a picture
_SAME_PLACE_M = 1.0  # of such photos, the one that looks the query's way is shown


@dataclass(frozen=True)
class Shot:
    """A database photo beside a failed query.

    Attributes:
        row: Of the database; -1 where there is none.
        key: Its name.
        distance_m: From the query's true place; NaN where unknown.
        similarity: Cosine similarity to the query, or the score of the place that the
            photo is nearest to; NaN where not among the predictions.
        is_positive: Whether it lies near enough to the query.
    """

    row: int
    key: str
    distance_m: float
    similarity: float
    is_positive: bool


@dataclass(frozen=True)
class Failure:
    """A query that was answered wrongly.

    Attributes:
        row: Of the query.
        key: Its name.
        predictions: The first ones.
        nearest: The positive nearest to the query.
        nearest_rank: Where that stands among the predictions, from 1; 0 if nowhere.
        num_predictions: How many were looked through for it.
    """

    row: int
    key: str
    predictions: list[Shot]
    nearest: Shot
    nearest_rank: int
    num_predictions: int


def worst_queries(report: Report, most: int) -> np.ndarray:
    """Returns rows of queries that have positives and were answered wrongly.

    Those of the highest confidence come first; of equal confidence, or without any,
    those most similar to their first prediction.
    """
    result = report.result
    wrong = report.per_query["error_m"] > report.positive_dist_threshold_m
    rows = np.flatnonzero(wrong & (result.num_positives > 0))
    sure = np.nan_to_num(report.per_query["confidence"][rows], nan=-1.0)
    alike = -result.descriptor_distances[rows, 0]
    if result.scores is not None:
        alike = result.scores[rows, 0]
    return rows[np.lexsort((rows, -alike, -sure))][:most]


def failures(
    report: Report,
    dataset: PreparedDataset,
    evaluation_set: EvaluationSet,
    *,
    most: int = 20,
    num_predictions: int = 4,
) -> list[Failure]:
    """Returns the worst queries with what was predicted and what was to be found.

    Args:
        report: Numbers and predictions.
        dataset: The prepared dataset that they were measured on.
        evaluation_set: Names of its splits.
        most: Number of queries.
        num_predictions: Predictions shown for each.
    """
    queries = dataset.split(evaluation_set.queries).photo_table()
    database = dataset.split(evaluation_set.database).photo_table()
    result = report.result
    photos = photos_of_predictions(report, database)
    found = []
    for row in worst_queries(report, most):
        ranks = range(min(num_predictions, result.predictions.shape[1]))
        nearest = _nearest(queries, database, int(row))
        ranked = np.flatnonzero(result.predictions[row] == nearest.row)
        if result.places is not None:
            ranked = np.flatnonzero(result.hits[row])
        found.append(
            Failure(
                int(row),
                _text(result.query_keys[row]),
                [
                    _prediction(report, photos, database, int(row), rank)
                    for rank in ranks
                ],
                nearest,
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


def _prediction(
    report: Report, photos: np.ndarray, database: PhotoTable, query: int, rank: int
) -> Shot:
    result = report.result
    row = int(photos[query, rank])
    similarity = 1 - float(result.descriptor_distances[query, rank]) / 2
    if result.scores is not None:
        similarity = float(result.scores[query, rank])
    return Shot(
        row,
        _text(database.keys[row]),
        float(result.distances_m[query, rank]),
        similarity,
        bool(result.hits[query, rank]),
    )


def _nearest(queries: PhotoTable, database: PhotoTable, query: int) -> Shot:
    """Returns the nearest database photo; of a panorama, the crop of its direction."""
    one = np.array([query])
    everything = np.arange(len(database))[None]
    metres = distances_m(queries.positions.take(one), database.positions, everything)[0]
    same = np.flatnonzero(metres <= np.nanmin(metres) + _SAME_PLACE_M)
    turned = heading_differences_deg(
        database.heading_deg[same], queries.heading_deg[query]
    )
    row = int(same[np.lexsort((same, metres[same], np.nan_to_num(turned, nan=360)))[0]])
    distance_m = float(metres[row])
    return Shot(row, _text(database.keys[row]), distance_m, float("nan"), True)


def picture_uri(split: SplitIndex, row: int) -> str:
    """Returns a small JPEG of a record as a data URI.

    Args:
        split: Index of the split.
        row: Record.

    Raises:
        DamagedRecordError: The record or its image is damaged.
    """
    from vpr_tf.evaluation.pictures import fit_to_height
    from vpr_tf.evaluation.record_images import read_image

    image = fit_to_height(Image.fromarray(read_image(split, row)), _HEIGHT)
    for quality in _QUALITIES:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=quality, optimize=True)
        if file.tell() <= _MOST_BYTES:
            break
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()


def _text(key: bytes) -> str:
    return bytes(key).decode(errors="replace")
