"""Recall@N of descriptors that are there already, without a dataset."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import KDTree

from vpr_tf.evaluation.errors import EvaluationError
from vpr_tf.evaluation.positives import positives_per_query
from vpr_tf.evaluation.recall import recall_at
from vpr_tf.geo import UNKNOWN_ZONE, Positions
from vpr_tf.search import ExactIndex


@dataclass(frozen=True, eq=False)
class DescriptorEvaluation:
    """Recall of descriptors.

    Attributes:
        recalls: Percent by N; NaN when no query has a known position.
        predictions: Database rows of each query, nearest first, `(num_queries, k)`;
            -1 where there are fewer.
        descriptor_distances: Their squared distances, `(num_queries, k)`.
        num_queries: Queries of known position, which the recall is of.
        num_queries_without_positives: Of these, queries that nothing is near to; they
            count as not found.
    """

    recalls: dict[int, float]
    predictions: np.ndarray
    descriptor_distances: np.ndarray
    num_queries: int
    num_queries_without_positives: int


def evaluate_descriptors(
    database: npt.ArrayLike,
    database_positions: Positions | npt.ArrayLike,
    queries: npt.ArrayLike,
    query_positions: Positions | npt.ArrayLike,
    *,
    recall_values: Sequence[int] = (1, 5, 10, 20),
    positive_dist_threshold_m: float = 25.0,
    unit: str | None = None,
) -> DescriptorEvaluation:
    """Measures recall@N of descriptors by exact search.

    Args:
        database: Descriptors `(num_images, descriptor_dim)`.
        database_positions: Where the images were taken: `Positions`, or
            `(num_images, 2)`: metres east and north on one plane, such as a UTM zone,
            or degrees of latitude and longitude.
        queries: Descriptors `(num_queries, descriptor_dim)`.
        query_positions: As `database_positions`; a query with NaN does not count.
        recall_values: The values of N.
        positive_dist_threshold_m: Largest distance of a right prediction.
        unit: `m` or `deg` of positions that are arrays; None takes metres, unless
            all of the database could be degrees.

    Raises:
        EvaluationError: The positions do not fit the descriptors, or could be metres
            and degrees alike.
    """
    rows = [np.atleast_2d(np.asarray(d, np.float32)) for d in (database, queries)]
    places = [
        p if isinstance(p, Positions) else np.atleast_2d(np.asarray(p, np.float64))
        for p in (database_positions, query_positions)
    ]
    for name, descriptors, positions in zip(
        ("database", "queries"), rows, places, strict=True
    ):
        _check(name, descriptors, positions)
    if _are_degrees(places[0], unit):
        places = [p if isinstance(p, Positions) else _from_degrees(p) for p in places]
    positives, known = _positives(places[0], places[1], positive_dist_threshold_m)
    found = ExactIndex.build(rows[0]).search(rows[1], max(recall_values))
    distances, predictions = found
    recalls = recall_at(predictions, positives, recall_values, evaluated=known)
    without = sum(not len(positives[query]) for query in np.flatnonzero(known))
    return DescriptorEvaluation(
        recalls, predictions, distances, int(known.sum()), without
    )


def _check(
    name: str, descriptors: np.ndarray, positions: Positions | np.ndarray
) -> None:
    fits = len(positions) == len(descriptors)
    if isinstance(positions, np.ndarray):
        fits = fits and positions.shape[1:] == (2,)
    if not fits:
        shape = getattr(positions, "shape", (len(positions),))
        raise EvaluationError(
            f"The positions of `{name}` must be `Positions` or metres of shape "
            f"({len(descriptors)}, 2), as there are descriptors. Received: {shape}"
        )


def _are_degrees(database: Positions | np.ndarray, unit: str | None) -> bool:
    """Whether positions are latitude and longitude; metres would all be near."""
    if unit not in (None, "m", "deg"):
        raise EvaluationError(f'`unit` must be "m" or "deg". Received: {unit!r}')
    if isinstance(database, Positions) or unit is not None:
        return unit == "deg"
    if not (np.abs(database) > [90.0, 180.0]).any():
        raise EvaluationError(
            "The positions could be degrees of latitude and longitude as well as "
            'metres. Pass unit="deg" or unit="m". Received: '
            f"{database[0].tolist()}, ..."
        )
    return False


def _from_degrees(degrees: np.ndarray) -> Positions:
    known = np.isfinite(degrees).all(axis=1)
    positions = Positions.from_lat_lon(*np.where(known[:, None], degrees, 0.0).T)
    zone = np.where(known, positions.utm_zone, UNKNOWN_ZONE)
    return dataclasses.replace(positions, utm_zone=zone)


def _positives(
    database: Positions | np.ndarray, queries: Positions | np.ndarray, radius_m: float
) -> tuple[list[np.ndarray], np.ndarray]:
    """Returns the positives of each query, and which queries have a position."""
    if isinstance(database, Positions) and isinstance(queries, Positions):
        return positives_per_query(queries, database, radius_m), queries.known
    if isinstance(database, Positions) or isinstance(queries, Positions):
        raise EvaluationError(
            "Both positions must be `Positions`, or both metres on one plane."
        )
    known = np.isfinite(queries).all(axis=1)
    usable = np.flatnonzero(np.isfinite(database).all(axis=1))
    near = KDTree(database[usable]).query_ball_point(queries[known], radius_m)
    positives = [np.empty(0, np.int64)] * len(queries)
    for query, rows in zip(np.flatnonzero(known), near, strict=True):
        positives[query] = usable[np.sort(np.asarray(rows, np.int64))]
    return positives, known
