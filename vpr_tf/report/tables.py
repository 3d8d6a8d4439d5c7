"""The tables of a report, for the page, for markdown and for LaTeX alike."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from vpr_tf.config import PROTOCOLS, STANDARD
from vpr_tf.report.confidence import ConfidenceReport
from vpr_tf.report.per_query import hit_rank_column
from vpr_tf.report.published import published_on
from vpr_tf.report.query_states import query_states
from vpr_tf.report.report import Identity, Report
from vpr_tf.report.strata import attribute_title
from vpr_tf.tables import Column, Quantity, Table, counted, number

MOST_ROWS = 500  # of a table with a row for each query
NO_POSITIONS = (
    "No query has a known position, so nothing can be judged: there is no recall and "
    "no error."
)
_LABEL = Column("", "text")


def report_tables(report: Report) -> dict[str, Table]:
    """Returns the tables of all that was measured, by the name of their section."""
    return {
        "identity": identity_table(report.identity),
        "distances": recall_table(report),
        "published": published_table(report),
        "errors": error_table(report),
        "confidence": confidence_table(report),
        "reliability": reliability_table(report.confidence),
        "strata": strata_table(report),
        "attributes": attribute_table(report),
        "smoothness": smoothness_table(report),
    }


def identity_table(*identities: Identity) -> Table:
    """Returns what was measured on what; of a comparison, of both runs."""
    names = [""] if len(identities) == 1 else ["first run", "second run"]
    entries = {
        "Encoder": [identity.encoder for identity in identities],
        "Queries": [f"{identity.num_queries:,}" for identity in identities],
        "Protocol": [_protocol_text(identity.protocol) for identity in identities],
        "Database photos": [
            f"none; the heads know {each.known}"
            if each.predicts_places
            else f"{each.num_database:,}"
            for each in identities
        ],
        "Search": [identity.search for identity in identities],
        "Preprocessing": [identity.preprocessing for identity in identities],
        "Engine": [identity.engine for identity in identities],
        "Encoder fingerprint": [each.encoder_fingerprint[:12] for each in identities],
        "Dataset fingerprint": [each.dataset_fingerprint[:12] for each in identities],
    }
    rows = [[name, *values] for name, values in entries.items()]
    return Table("", [_LABEL, *(Column(name, "text") for name in names)], rows)


def _protocol_text(name: str) -> str:
    """Returns what recall means; a report may be of a protocol that is not known."""
    protocol = PROTOCOLS.get(name)
    if protocol is None or name == STANDARD:
        return name
    return (
        f"{name}: {protocol.sets}; positives {protocol.positives}; queries without "
        f"positives are {protocol.unmatched}"
    )


def published_table(report: Report) -> Table:
    """Returns what papers state for the protocol, and this report's recall."""
    own = report.identity
    found = [] if own.protocol == STANDARD else published_on(own.protocol)
    title = "Published on this protocol"
    values = sorted({n for one in found for n in one.recalls})
    columns = [Column("method", "text"), *(Column(f"R@{n} (%)") for n in values)]
    columns.append(Column("source", "text"))
    note = f"None known for the protocol {own.protocol}."
    if found and not report.result.has_stated_counts:
        note = (
            "Not shown: this set does not have the counts of the protocol "
            f"{own.protocol}, so its recalls cannot be compared with published ones."
        )
        return Table(title, columns, [], note)
    if not found or not report.recalls.num_evaluated or own.predicts_places:
        return Table(title, columns, [], note)
    ours = report.recalls.at(report.positive_dist_threshold_m)
    rows: list[list[Any]] = [
        ["this report", *(ours.get(n) for n in values), "measured here"],
        *(
            [one.method, *(one.recalls.get(n) for n in values), one.source]
            for one in found
        ),
    ]
    note = "Numbers of others are as they state them; none was measured here."
    unstated = PROTOCOLS[own.protocol].unstated
    if unstated:
        note += f" {unstated[0].upper()}{unstated[1:]}"
    return Table(title, columns, rows, note, 0)


def headline_table(report: Report) -> Table:
    """Returns the numbers to look at first."""
    title = f"Report on {report.identity.set_name}"
    columns = [_LABEL, Column("value")]
    if not report.recalls.num_evaluated:
        return Table(title, columns, [], NO_POSITIONS)
    threshold_m = report.positive_dist_threshold_m
    n, recall = next(iter(report.recalls.at(threshold_m).items()))
    rows: list[list[Any]] = [
        [f"recall@{n} within {threshold_m:g} m", Quantity(recall, 1, "%")]
    ]
    error = report.errors.get(report.answer_method)
    if error is not None:
        rows.append(["median error", Quantity(error.median_m, 1, " m")])
        name = "nine tenths of the errors are smaller"
        rows.append([name, Quantity(error.p90_m, 1, " m")])
    found, note = report.confidence, ""
    if found is not None:
        name = "localized, with enough confidence"
        rows.append([name, Quantity(found.answered_coverage, 1, "%")])
        rows.append(["of those are right", Quantity(found.answered_precision, 1, "%")])
    else:
        note = f"Confidence not measured: {report.why_no_confidence}."
    return Table(title, columns, rows, note)


def main_recall_table(report: Report) -> Table:
    """Returns recall@N at the set's own threshold."""
    recalls = report.recalls.at(report.positive_dist_threshold_m).items()
    return Table(
        "",
        [Column("at N"), Column("recall (%)")],
        [list(row) for row in recalls] if report.recalls.num_evaluated else [],
        NO_POSITIONS,
    )


def recall_table(report: Report) -> Table:
    """Returns recall@N at every threshold."""
    recalls, symbol = report.recalls, report.identity.symbol
    title = "Recall at every distance"
    names = [f"{symbol}@{n} (%)" for n in recalls.recall_values]
    columns = [Column("within", "text"), *map(Column, names), Column("with positives")]
    if not recalls.num_evaluated:
        return Table(title, columns, [], NO_POSITIONS)
    thresholds_m = recalls.thresholds_m
    rows = zip(thresholds_m, recalls.recalls, recalls.num_with_positives, strict=True)
    return Table(
        title,
        columns,
        [[f"{metre:g} m", *row, count] for metre, row, count in rows],
        _recall_note(report),
        thresholds_m.index(report.positive_dist_threshold_m),
    )


def _recall_note(report: Report) -> str:
    what = "place of the heads" if report.identity.predicts_places else "database photo"
    threshold = f"{report.positive_dist_threshold_m:g} m"
    lonely = len(report.queries_without_positives)
    who, end = f"{lonely:,} of them have", "count as not found"
    if report.result.rule.drops_unmatched:
        who = counted(lonely, "other has", "others have")
        end = "dropped, as the protocol has it"
        end = f"{'is' if lonely == 1 else 'are'} {end}"
    note = (
        f"Of {report.recalls.num_evaluated:,} queries of known position; {who} no "
        f"{what} within {threshold} and {end}."
    )
    unknown = len(report.queries_without_position)
    if unknown:
        note += f" {unknown:,} further queries of unknown position are in no number."
    return note


def error_table(report: Report) -> Table:
    """Returns how far the estimated positions are from the true ones."""
    errors = list(report.errors.values())
    methods = [name.replace("_", " ") for name in report.errors]
    columns = [Column("error", "text"), *map(Column, methods)]
    title = "Error of the position"
    if not any(error.cdf_error_m for error in errors):
        return Table(title, columns, [], NO_POSITIONS)
    within = f"within {report.positive_dist_threshold_m:g} m (%)"
    rows = [
        ["median (m)", *(error.median_m for error in errors)],
        ["p75 (m)", *(error.p75_m for error in errors)],
        ["p90 (m)", *(error.p90_m for error in errors)],
        ["mean (m)", *(error.mean_m for error in errors)],
        [within, *(error.within_threshold for error in errors)],
        ["queries", *(error.num_queries for error in errors)],
        ["without an estimate", *(error.num_unanswerable for error in errors)],
    ]
    method = report.answer_method.replace("_", " ")
    return Table(title, columns, rows, f"Localized by the method: {method}.")


def confidence_table(report: Report) -> Table:
    """Returns how far the confidence of a localization can be trusted."""
    found, columns = report.confidence, [_LABEL, Column("value")]
    if found is None or not found.num_queries:
        reason = report.why_no_confidence or "no query was localized"
        return Table("Confidence", columns, [], f"Not measured: {reason}.")
    chosen: Any = "none reaches the wanted precision: all are withheld"
    if math.isfinite(found.chosen_threshold):
        chosen = Quantity(found.chosen_threshold, 3)
    calibration = f"{found.calibrated_on} ({found.calibration})"
    bins = f"{found.num_bins} bins of equally many"
    rows: list[list[Any]] = [
        ["Right means", f"error of at most {found.threshold_m:g} m"],
        ["Calibrated on", calibration],
        ["Measured on", f"{found.num_queries:,} queries"],
        ["Wanted precision", f"{100 * found.wanted_precision:g}%"],
        ["Localized from confidence", chosen],
        ["Queries localized", Quantity(found.answered_coverage, 1, "%")],
        ["Right among them", Quantity(found.answered_precision, 1, "%")],
        ["Right if none were withheld", Quantity(found.precision * 100, 1, "%")],
        [
            f"Expected calibration error ({bins})",
            Quantity(found.expected_calibration_error, 3),
        ],
        ["Area under precision over coverage", Quantity(found.area, 3)],
        ["The same in the best possible order", Quantity(found.best_area, 3)],
        ["Brier score", Quantity(found.brier_score, 3)],
    ]
    return Table("Confidence", columns, rows)


def reliability_table(found: ConfidenceReport | None) -> Table:
    """Returns how often localizations of a confidence are right."""
    rows = [
        [100 * part.mean_confidence, 100 * part.precision, part.num_queries]
        for part in (found.bins if found is not None else ())
    ]
    names = ("confidence (%)", "right (%)", "queries")
    return Table("Reliability", [*map(Column, names)], rows, "" if rows else "None.")


def strata_table(report: Report) -> Table:
    """Returns recall@1 by attributes of the queries."""
    rows: list[list[Any]] = []
    for division in report.strata:
        name = attribute_title(division.name)
        for part in division.strata:
            rows.append([name, part.label, part.num_queries, part.recall_at_1])
        if division.num_unknown:
            rows.append([name, "unknown", division.num_unknown, None])
    columns = [Column("attribute", "text"), Column("value", "text"), Column("queries")]
    note = "" if rows else NO_POSITIONS
    symbol = report.identity.symbol
    columns.append(Column(f"{symbol}@1 (%)"))
    return Table("Recall by attributes of the queries", columns, rows, note)


def attribute_table(report: Report) -> Table:
    """Returns what the attributes mean, and why some are left out."""
    rows = []
    for division in report.strata:
        meaning = sentence(division.definition)
        if division.num_unknown:
            count = counted(division.num_unknown, "query", "queries")
            meaning += f" Unknown for {count}."
        rows.append([attribute_title(division.name), meaning])
    for name, why in report.left_out_strata.items():
        rows.append([attribute_title(name), f"Left out. {sentence(why)}"])
    columns = [Column("attribute", "text"), Column("meaning", "text")]
    return Table("Attributes of the queries", columns, rows)


def smoothness_table(report: Report) -> Table:
    """Returns the similarity of descriptors over the distance of their places."""
    found, title = report.smoothness, "Spatial smoothness of the descriptors"
    columns = [Column("distance", "text"), Column("pairs"), Column("mean cosine")]
    columns += map(Column, ("p25", "median", "p75"))
    if report.identity.predicts_places:
        return Table(title, columns, [], "Heads predict places without a database.")
    if found is None or not found.num_pairs:
        note = "It needs two or more database photos of known position near each other."
        return Table(title, columns, [], note)
    rows = [
        [f"{part.low:g} to {part.high:g} m", part.num_pairs]
        + [Quantity(value, 3) for value in (part.mean, part.p25, part.median, part.p75)]
        for part in found.by_distance
        if part.num_pairs
    ]
    note = (
        f"{found.num_pairs:,} pairs of database photos, seed {found.seed}. Rank "
        "correlation (Spearman) of cosine similarity and metres: "
        f"{number(found.spearman_distance, 3)}"
    )
    if found.by_heading:
        note += (
            f"; and heading difference, within {found.near_m:g} m: "
            f"{number(found.spearman_heading, 3)}"
        )
    return Table(title, columns, rows, f"{note}.")


def query_table(report: Report) -> Table:
    """Returns the queries of the largest errors, at most `MOST_ROWS`."""
    columns = report.per_query
    order = np.argsort(-np.nan_to_num(columns["error_m"], nan=-1.0), kind="stable")
    states = query_states(report)
    ranks = columns[hit_rank_column(report.positive_dist_threshold_m)]
    value = "score" if report.identity.predicts_places else "similarity"
    positives = report.result.num_positives
    rows = [
        [
            columns["key"][row],
            states[row],
            columns["error_m"][row],
            columns["confidence"][row],
            Quantity(float(columns[f"prediction_1_{value}"][row]), 3),
            columns["prediction_1_m"][row],
            "none" if ranks[row] == 0 else Quantity(float(ranks[row]), 0),
            int(positives[row]) if positives[row] >= 0 else None,
        ]
        for row in order[:MOST_ROWS]
    ]
    return Table(
        "All queries",
        [
            Column("query", "name"),
            Column("state", "state"),
            Column("error", "metres"),
            Column("confidence", digits=2),
            Column(f"{value} of the first"),
            Column("first prediction", "metres"),
            Column("rank of the first positive"),
            Column("positives"),
        ],
        rows,
        cap_note(len(order), "per_query.csv"),
    )


def lonely_query_table(report: Report, what: str) -> Table:
    """Returns the queries without positives with the distance to the nearest.

    Args:
        report: The numbers.
        what: What is predicted, for the head of the column.
    """
    columns = report.per_query
    places = report.identity.predicts_places
    nearest_m = columns["nearest_place_m" if places else "nearest_database_m"]
    rows = np.flatnonzero(report.result.num_positives == 0)
    return Table(
        "Queries without positives",
        [Column("query", "name"), Column(f"nearest {what}", "metres")],
        [[columns["key"][row], nearest_m[row]] for row in rows[:MOST_ROWS]],
        cap_note(len(rows), "per_query.csv"),
    )


def cap_note(num_rows: int, file_name: str) -> str:
    """Returns where the rows are that a table leaves out; empty if it has all."""
    if num_rows <= MOST_ROWS:
        return ""
    return f"The first {MOST_ROWS:,} of {num_rows:,}; all are in {file_name}."


def sentence(text: str) -> str:
    """Returns a reason or a definition as a sentence."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
