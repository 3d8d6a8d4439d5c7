"""Intervals of proportions: of a recall, of a precision, of a share of queries.

They keep a width at 0 and at 1, where resamples of the queries are all alike.

Reference:
    Wilson, "Probable Inference, the Law of Succession, and Statistical Inference",
    1927.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from vpr_tf.tables import Interval


def wilson_interval(successes: int, trials: int, level: float) -> Interval:
    """Returns a share and its Wilson score interval, 0 to 1; NaN without trials."""
    if not trials:
        return Interval(math.nan)
    share, z = successes / trials, NormalDist().inv_cdf((1 + level) / 2)
    shrunk = 1 + z**2 / trials
    centre = (share + z**2 / (2 * trials)) / shrunk
    half = z / shrunk * math.sqrt(share * (1 - share) / trials + (z / trials) ** 2 / 4)
    # At 0 and 1 the end is the share itself; the formula only rounds it.
    low = centre - half if successes else 0.0
    high = centre + half if successes < trials else 1.0
    return Interval(share, low, high)


def wilson_percentages(found: np.ndarray, level: float) -> list[Interval]:
    """Returns the percentage of true entries of each column, with its interval.

    Args:
        found: Bools `(num_queries, num_columns)`.
        level: Confidence level.

    Returns:
        One interval a column; NaN without queries.
    """
    found = np.asarray(found, bool)
    shares = (
        wilson_interval(int(count), len(found), level) for count in found.sum(axis=0)
    )
    return [Interval(100 * s.value, 100 * s.low, 100 * s.high) for s in shares]
