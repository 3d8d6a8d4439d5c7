"""A measured number with the range that chance leaves it."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Interval:
    """A number and its confidence interval; NaN where there is nothing to measure.

    Attributes:
        value: The number, measured on all queries.
        low: Lower end of the interval.
        high: Upper end of the interval.
    """

    value: float
    low: float = math.nan
    high: float = math.nan


@dataclass(frozen=True)
class BootstrapSettings:
    """How the intervals were made.

    Attributes:
        num_resamples: Resamples of the queries, with replacement.
        level: Share of the resamples inside an interval; its ends are percentiles.
        seed: Seed of the resamples.
    """

    num_resamples: int = 2000
    level: float = 0.95
    seed: int = 0
