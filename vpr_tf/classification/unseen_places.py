"""What heads answer to a photo of a place that they do not know."""

from __future__ import annotations

import numpy as np

from vpr_tf.classification.class_table import OWN_GROUP, ClassTable
from vpr_tf.classification.classifier import PlaceClassifier, best_columns
from vpr_tf.classification.place_features import has_probabilities
from vpr_tf.classification.predictions import MISSING_PLACE, PlacePredictions
from vpr_tf.classification.spread import spread_m
from vpr_tf.geo import Positions, ecef

_SCORES_PER_BLOCK = 1 << 22  # float32: 16 MiB


def predict_outside(
    classifier: PlaceClassifier,
    descriptors: np.ndarray,
    queries: Positions,
    *,
    radius_m: float,
    n: int,
) -> PlacePredictions:
    """Predicts without the places near the query: no answer can be right.

    The place's own cell, and all whose centres are near, are no candidates; where
    scores are probabilities the others share what these had, as if the heads had never
    known them. A head that was trained without those classes might still differ: this
    is the best that can be known without training another.

    Args:
        classifier: The heads.
        descriptors: Float32 `(num_queries, descriptor_dim)`.
        queries: Where the queries were taken; those of unknown position get no place.
        radius_m: Centres within this are left out.
        n: Places a query.
    """
    num_queries, table = len(descriptors), classifier.table
    rows = np.full((num_queries, n), MISSING_PLACE, np.int64)
    scores = np.full((num_queries, n), -np.inf, np.float32)
    spreads = np.full(num_queries, np.nan)
    own_cell = table.cells.locate(queries)
    points, asked = ecef.from_positions(table.positions), ecef.from_positions(queries)
    step = max(1, _SCORES_PER_BLOCK // max(1, len(table)))
    for start in range(0, num_queries, step):
        block = slice(start, start + step)
        near = _near(points, asked[block], radius_m)
        near |= (table.cell == own_cell[block, None]) | ~queries.known[block, None]
        left = _without(classifier, classifier.scores(descriptors[block]), near)
        found, values = best_columns(left, n)
        columns = slice(found.shape[1])
        rows[block, columns] = np.where(np.isfinite(values), found, MISSING_PLACE)
        scores[block, columns] = values
        spreads[block] = _spread(table, left)
    heading_deg = table.heading_deg[rows[:, 0]]
    return PlacePredictions(table.positions, rows, scores, spreads, heading_deg)


def best_of_groups(table: ClassTable, scores: np.ndarray) -> np.ndarray | None:
    """Returns the best place of each group, or None where groups share their places.

    Args:
        table: The places.
        scores: Of every place, `(num_queries, num_places)`; -inf for no candidate.

    Returns:
        Rows, int64 `(num_queries, num_groups)`; a group without a candidate agrees
        with the best of all.
    """
    if table.combine != OWN_GROUP or table.num_groups < 2:
        return None
    rows = np.stack(
        [places[scores[:, places].argmax(axis=1)] for places in table.places_of_groups],
        axis=1,
    )
    values = np.take_along_axis(scores, rows, axis=1)
    best = scores.argmax(axis=1)[:, None]
    return np.where(np.isfinite(values), rows, best)


def _spread(table: ClassTable, scores: np.ndarray) -> np.ndarray:
    rows = best_of_groups(table, scores)
    if rows is None:
        return np.full(len(scores), np.nan)
    return spread_m(table.positions, rows)


def _near(points: np.ndarray, asked: np.ndarray, radius_m: float) -> np.ndarray:
    metres = [np.linalg.norm(points - point, axis=1) for point in asked]
    return np.stack(metres) <= radius_m


def _without(
    classifier: PlaceClassifier, scores: np.ndarray, near: np.ndarray
) -> np.ndarray:
    """Returns the scores without those of some places, which become -inf."""
    left = scores.copy()
    if has_probabilities(classifier):
        table = classifier.table
        parts: tuple[np.ndarray, ...] = (np.arange(len(table)),)
        if table.combine == OWN_GROUP:
            parts = table.places_of_groups
        for places in parts:
            of_part = scores[:, places].astype(np.float64)
            kept = np.where(near[:, places], 0.0, of_part).sum(axis=1, keepdims=True)
            share = of_part.sum(axis=1, keepdims=True) / np.where(kept > 0, kept, 1.0)
            left[:, places] = of_part * share
    left[near] = -np.inf
    return left
