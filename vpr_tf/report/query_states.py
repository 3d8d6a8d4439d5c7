"""Each query of a report as right, wrong, withheld or unjudged."""

from __future__ import annotations

import numpy as np

from vpr_tf.report.city_map import (
    RIGHT,
    UNJUDGED,
    WITHHELD,
    WRONG,
    AnsweredQueries,
)
from vpr_tf.report.page_text import metres, number
from vpr_tf.report.report import Report

STATE_NAMES = {
    RIGHT: "right",
    WRONG: "wrong",
    WITHHELD: "withheld",
    UNJUDGED: "not judged",
}


def query_states(report: Report) -> np.ndarray:
    """Returns the state of every query, text `(num_queries,)`."""
    columns = report.per_query
    right = columns["error_m"] <= report.positive_dist_threshold_m
    states = np.where(right, RIGHT, WRONG)
    states = np.where(np.isfinite(columns["latitude_deg"]), states, UNJUDGED)
    return np.where(np.asarray(columns["answered"], bool), states, WITHHELD)


def answered_queries(report: Report) -> AnsweredQueries:
    """Returns the queries as a map shows them."""
    columns = report.per_query
    return AnsweredQueries(
        [_name(report, row) for row in range(len(columns["key"]))],
        query_states(report),
        np.asarray(columns["latitude_deg"], np.float64),
        np.asarray(columns["longitude_deg"], np.float64),
        np.asarray(columns["predicted_latitude_deg"], np.float64),
        np.asarray(columns["predicted_longitude_deg"], np.float64),
    )


def _name(report: Report, row: int) -> str:
    columns = report.per_query
    parts = [columns["key"][row].decode(errors="replace")]
    error_m, confidence = (float(columns[n][row]) for n in ("error_m", "confidence"))
    if np.isfinite(error_m):
        parts.append(f"error {metres(error_m)}")
    if np.isfinite(confidence):
        parts.append(f"confidence {number(confidence, 2)}")
    return ", ".join(parts)
