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
