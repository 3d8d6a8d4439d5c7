"""Sections of the report about single queries: map, failures, tables."""

from __future__ import annotations

import numpy as np

from vpr_tf.data.prepared_dataset import EvaluationSet, PreparedDataset
from vpr_tf.report.city_map import city_maps
from vpr_tf.report.map_svg import draw_map
from vpr_tf.report.page_tables import table
from vpr_tf.report.page_template import Section, missing
from vpr_tf.report.page_text import breakable, count_of, metres, number
from vpr_tf.report.per_query import hit_rank_column
from vpr_tf.report.query_states import STATE_NAMES, answered_queries, query_states
from vpr_tf.report.report import Report

_MOST_ROWS = 500
_MOST_CITIES = 4


def map_section(
    report: Report, dataset: PreparedDataset, evaluation_set: EvaluationSet
) -> Section:
    """Queries, answers and errors, in metres."""
    photos = dataset.split(evaluation_set.database).photo_table().positions
    known = photos.known
    queries = answered_queries(report)
    maps = city_maps(
        queries,
        photos.latitude_deg[known],
        photos.longitude_deg[known],
        most=_MOST_CITIES,
    )
    if not maps:
        reason = "Neither a query nor an answer has a known position."
        return Section("map", "Map", missing(reason))
    html = "".join(
        draw_map(city, queries, report.positive_dist_threshold_m) for city in maps
    )
    left_out = len(queries.names) - sum(len(city.rows) for city in maps)
    if len(maps) > 1:
        html = (
            '<p class="note">The queries lie in places more than 20 km apart: a map '
            f"each, the {len(maps)} with the most queries.</p>{html}"
        )
    if left_out:
        count = count_of(left_out, "query is", "queries are")
        html += f'<p class="note">{count} on no map: no position, or elsewhere.</p>'
    return Section("map", "Map", html)


def without_positives(report: Report) -> Section:
    """Queries that no encoder could find."""
    title, short = "Queries without positives", "Without positives"
    threshold = f"{report.positive_dist_threshold_m:g} m"
    what = "place of the heads" if report.identity.of_places else "database photo"
    rows = np.flatnonzero(report.result.num_positives == 0)
    html = ""
    if len(rows):
        count = count_of(len(rows), "query has", "queries have")
        html += (
            f"<p>{count} no {what} within {threshold}. They count as not "
            "found, as in the published protocol.</p>"
        )
        html += _nearest(report, rows, what)
    else:
        html += missing(f"Every query has a {what} within {threshold}.")
    unknown = report.queries_without_position
    if unknown:
        count = count_of(len(unknown), "query has", "queries have")
        html += f"<p>{count} no known position; answered, but not judged.</p>"
    return Section("without-positives", title, html, short)


def _nearest(report: Report, rows: np.ndarray, what: str) -> str:
    columns = report.per_query
    of_places = report.identity.of_places
    nearest_m = columns["nearest_place_m" if of_places else "nearest_database_m"]
    cells = [
        [_key(columns["key"][row]), metres(float(nearest_m[row]))]
        for row in rows[:_MOST_ROWS]
    ]
    numbers = table(["query", f"nearest {what}"], cells, sortable=True)
    return f'<div class="scroll">{numbers}</div>' + _cap_note(len(rows))


def all_queries(report: Report) -> Section:
    """Every query, the largest errors first."""
    columns = report.per_query
    order = np.argsort(-np.nan_to_num(columns["error_m"], nan=-1.0), kind="stable")
    states = query_states(report)
    ranks = columns[hit_rank_column(report.positive_dist_threshold_m)]
    value = "score" if report.identity.of_places else "similarity"
    rows = []
    for row in order[:_MOST_ROWS]:
        state = states[row]
        rows.append(
            [
                _key(columns["key"][row]),
                f'<span class="tag {state}">{STATE_NAMES[state]}</span>',
                metres(float(columns["error_m"][row])),
                number(float(columns["confidence"][row]), 2),
                number(float(columns[f"prediction_1_{value}"][row]), 3),
                metres(float(columns["prediction_1_m"][row])),
                _rank(float(ranks[row])),
                _count(int(report.result.num_positives[row])),
            ]
        )
    header = ["query", "answer", "error", "confidence", f"{value} of the first"]
    header += ["first prediction", "rank of the first positive", "positives"]
    numbers = table(header, rows, text_columns=(0, 1), sortable=True)
    html = '<p class="note">Largest errors first. Everything known of each query is '
    html += 'in <a href="per_query.csv">per_query.csv</a>.</p>'
    html += f'<div class="scroll">{numbers}</div>' + _cap_note(len(order))
    return Section("queries", "All queries", html)


def _key(key: bytes) -> str:
    return f'<span class="name">{breakable(key)}</span>'


def _rank(rank: float) -> str:
    return "none" if rank == 0 else number(rank, 0)


def _count(positives: int) -> str:
    return f"{positives:,}" if positives >= 0 else number(float("nan"))


def _cap_note(num_rows: int) -> str:
    if num_rows <= _MOST_ROWS:
        return ""
    return (
        f'<p class="note">The first {_MOST_ROWS:,} of {num_rows:,}; all are in '
        '<a href="per_query.csv">per_query.csv</a>.</p>'
    )
