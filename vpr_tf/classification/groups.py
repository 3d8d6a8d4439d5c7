"""Whether the groups of a classifier agree on a place."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def best_of_groups(
    cells_of_groups: Sequence[np.ndarray], scores_of_groups: Sequence[np.ndarray]
) -> np.ndarray:
    """Returns the best cell of each group.

    Args:
        cells_of_groups: The cell of each class, for each group.
        scores_of_groups: The score of each class, `(num_queries, num_classes)`, for
            each group; -inf for no candidate.

    Returns:
        Rows of the class table, int64 `(num_queries, num_groups)`; a group without a
        candidate agrees with the best of all.
    """
    groups = list(zip(cells_of_groups, scores_of_groups, strict=True))
    rows = np.stack([cells[scores.argmax(axis=1)] for cells, scores in groups], axis=1)
    values = np.stack([scores.max(axis=1) for scores in scores_of_groups], axis=1)
    missing = ~np.isfinite(values)
    if missing.any():
        # Of equal scores the lowest cell is the best of all.
        order = np.lexsort((rows, -values), axis=1)[:, :1]
        rows = np.where(missing, np.take_along_axis(rows, order, axis=1), rows)
    return rows


def spread_m(points: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Returns the standard deviation of places of each query.

    The square root of the mean squared distance to their mean, along chords in space:
    right across UTM zones, and exactly 0 when all places are the same.

    Args:
        points: Places, metres from the earth's centre, `(num_places, 3)`.
        rows: Rows of `points`, `(num_queries, num_groups)`.

    Returns:
        Metres, float64 `(num_queries,)`.

    Reference:
        Trivigno et al., "Divide&Classify", ICCV 2023, arXiv:2307.08417, figure 7.
    """
    offsets = points[rows] - points[rows[:, :1]]
    offsets -= offsets.mean(axis=1, keepdims=True)
    return np.sqrt(np.square(offsets).sum(axis=2).mean(axis=1))
