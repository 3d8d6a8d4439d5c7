"""Recall by circumstances of the queries."""

from __future__ import annotations

from dataclasses import dataclass

from vpr_tf.report.intervals import Interval


@dataclass(frozen=True)
class Stratum:
    """Queries of one kind.

    Attributes:
        label: The kind, e.g. `5 to 10 m`.
        num_queries: Queries of the kind, of known position.
        recall_at_1: Percent, with the Wilson interval, which is honest for few
            queries too.
    """

    label: str
    num_queries: int
    recall_at_1: Interval


@dataclass(frozen=True)
class Stratification:
    """The queries divided by one circumstance.

    Attributes:
        name: Short name, also the column of per_query.csv, e.g. `year_gap`.
        definition: What was measured, in a sentence.
        strata: The kinds that occur, in their order.
        num_unknown: Queries of known position whose kind is unknown; in no stratum.
    """

    name: str
    definition: str
    strata: list[Stratum]
    num_unknown: int
