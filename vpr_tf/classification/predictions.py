"""What a classifier or a regression says of where queries were taken."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vpr_tf.geo import Positions

MISSING_PLACE = -1


@dataclass(frozen=True, eq=False)
class PlacePredictions:
    """The best places of each query, best first.

    Attributes:
        places: What `rows` counts in: all places of a classifier, or one for each
            query of a regression.
        rows: Int64 `(num_queries, n)`; -1 where there are fewer places than n.
        scores: Float32 `(num_queries, n)`; the higher the better, -inf where missing.
        spread_m: How far the best places of the groups lie from each other, metres
            `(num_queries,)`: 0 when they agree; NaN with a single group.
        heading_deg: Heading of the best place `(num_queries,)`; -1 where unknown.
    """

    places: Positions
    rows: np.ndarray
    scores: np.ndarray
    spread_m: np.ndarray
    heading_deg: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)
