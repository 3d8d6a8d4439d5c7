"""What heads predict for a photo of a place that they do not know."""

from __future__ import annotations

import numpy as np

from vpr_tf.classification.class_table import OWN_GROUP
from vpr_tf.classification.classifier import PlaceClassifier
from vpr_tf.geo import Positions, ecef
from vpr_tf.localization import Candidates


def predict_outside(
    classifier: PlaceClassifier,
    descriptors: np.ndarray,
    queries: Positions,
    *,
    radius_m: float,
    n: int,
) -> Candidates:
    """Predicts without the cells near the query: no position can be right.

    The query's own cell, and all whose centres are near, are no candidates; where
    scores are probabilities the others share what these had, as if the heads had never
    known them. A head that was trained without those classes might still differ: this
    is the best that can be known without training another.

    Args:
        classifier: The heads.
        descriptors: Float32 `(num_queries, descriptor_dim)`.
        queries: Where the queries were taken; those of unknown position get no cell.
        radius_m: Centres within this are left out.
        n: Cells a query.
    """
    table = classifier.table
    own_cell = table.cells.locate(queries)
    points = ecef.from_positions(table.positions)
    query_points = ecef.from_positions(queries)

    def without_near(scores: np.ndarray, block: slice) -> np.ndarray:
        taken_at = query_points[block]
        metres = [np.linalg.norm(points - point, axis=1) for point in taken_at]
        near = np.stack(metres) <= radius_m
        near |= (table.cell == own_cell[block, None]) | ~queries.known[block, None]
        return _without(classifier, scores, near)

    return classifier.predict(descriptors, n, change_scores=without_near)


def _without(
    classifier: PlaceClassifier, scores: np.ndarray, near: np.ndarray
) -> np.ndarray:
    """Returns the scores without those of some cells, which become -inf."""
    left = scores.copy()
    if classifier.has_probabilities:
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
