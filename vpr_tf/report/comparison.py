"""Two encoders on the same queries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vpr_tf.report.identity import Identity
from vpr_tf.report.intervals import BootstrapSettings, Interval
from vpr_tf.report.json_ready import json_ready


@dataclass(frozen=True)
class Difference:
    """One number of both encoders, on the same queries.

    Attributes:
        name: E.g. `R@1 at 25 m` or `median error`.
        unit: `%` or `m`.
        first: Of the first encoder.
        second: Of the second encoder.
        difference: Second minus first, with a paired bootstrap interval.
    """

    name: str
    unit: str
    first: float
    second: float
    difference: Interval


@dataclass(frozen=True)
class ChangedQuery:
    """A query that one of the encoders finds at rank 1 and the other does not.

    Attributes:
        key: Record key.
        change: `gained` (only the second finds it) or `lost`.
        first_error_m: Error of the first encoder's answer.
        second_error_m: Error of the second encoder's answer.
    """

    key: str
    change: str
    first_error_m: float
    second_error_m: float


@dataclass(frozen=True)
class Comparison:
    """What changed from the first encoder to the second.

    Attributes:
        first: Identity of the first.
        second: Identity of the second.
        num_queries: Queries of known position, all paired.
        bootstrap: How the intervals were made.
        differences: Recalls and errors.
        num_gained: Queries right at rank 1 for the second only.
        num_lost: Queries right at rank 1 for the first only.
        mcnemar_p: Two-sided p-value of the exact McNemar test on recall@1.
        wilcoxon_p: Two-sided p-value of Wilcoxon's signed-rank test on the errors;
            NaN when no error differs.
        changed: The gained and lost queries.
    """

    first: Identity
    second: Identity
    num_queries: int
    bootstrap: BootstrapSettings
    differences: list[Difference]
    num_gained: int
    num_lost: int
    mcnemar_p: float
    wilcoxon_p: float
    changed: list[ChangedQuery]

    def to_dict(self) -> dict[str, Any]:
        """Returns the comparison as JSON-ready values."""
        return dict(json_ready(self))
