"""Each query of a report as right, wrong, withheld or unjudged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from vpr_tf.report.report import Report

RIGHT, WRONG, WITHHELD, UNJUDGED = "right", "wrong", "withheld", "unjudged"


def query_states(report: Report) -> np.ndarray:
    """Returns the state of every query, text `(num_queries,)`.

    A localization is withheld when its confidence is too low, and unjudged when the
    query's true position is unknown.
    """
    columns = report.per_query
    right = columns["error_m"] <= report.positive_dist_threshold_m
    states = np.where(right, RIGHT, WRONG)
    states = np.where(np.isfinite(columns["utm_east_m"]), states, UNJUDGED)
    return np.where(np.asarray(columns["answered"], bool), states, WITHHELD)
