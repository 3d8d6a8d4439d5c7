"""Recall by attributes of the queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vpr_tf.report.proportions import wilson_percentages
from vpr_tf.tables import Interval

_TITLES = {
    "mean_luma": "brightness",
    "year_gap": "years apart",
    "heading_gap_deg": "heading difference",
    "nearest_database_m": "nearest photo",
    "class_num_images": "photos of the class",
}


def attribute_title(name: str) -> str:
    """Returns the name of an attribute, a column of per_query.csv, for people."""
    return _TITLES.get(name, name.replace("_", " "))


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
    """The queries divided by one attribute.

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


def stratify(
    name: str,
    definition: str,
    values: np.ndarray,
    found: np.ndarray,
    edges: Sequence[float],
    labels: Sequence[str],
    level: float,
) -> Stratification:
    """Divides queries by a number.

    Args:
        name: Short name of the number.
        definition: What the number is, in a sentence.
        values: The number of each query, of known positions only; NaN where unknown.
        found: Whether the first prediction of each query is a positive.
        edges: Where a new kind begins, ascending: kind i holds values from
            `edges[i - 1]` on and below `edges[i]`.
        labels: Names of the `len(edges) + 1` kinds.
        level: Confidence level of the intervals.
    """
    known = ~np.isnan(values)
    kinds = np.searchsorted(edges, values[known], "right")
    hits = found[known]
    return Stratification(
        name=name,
        definition=definition,
        strata=[
            _stratum(label, hits[kinds == kind], level)
            for kind, label in enumerate(labels)
            if np.any(kinds == kind)
        ],
        num_unknown=int(np.sum(~known)),
    )


def _stratum(label: str, found: np.ndarray, level: float) -> Stratum:
    (recall,) = wilson_percentages(found[:, None], level)
    return Stratum(label, len(found), recall)
