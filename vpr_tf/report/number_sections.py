"""Sections of the report that hold numbers and figures."""

from __future__ import annotations

import math

from vpr_tf.report.confidence import ConfidenceReport
from vpr_tf.report.figure_style import Drawing
from vpr_tf.report.figures_confidence import precision_over_coverage, reliability
from vpr_tf.report.figures_error import error_distribution
from vpr_tf.report.figures_recall import (
    recall_over_strata,
    recall_over_thresholds,
    recall_with_interval,
)
from vpr_tf.report.figures_smoothness import spatial_smoothness
from vpr_tf.report.intervals import Interval
from vpr_tf.report.page_tables import facts, table
from vpr_tf.report.page_template import Section, chart, missing, side_by_side
from vpr_tf.report.page_text import (
    circumstance,
    count_of,
    metres,
    number,
    safe,
    with_interval,
)
from vpr_tf.report.report import NO_DATABASE, Report
from vpr_tf.report.strata import Stratification

_NO_POSITIONS = (
    "No query has a known position, so nothing can be judged: there is no recall and "
    "no error."
)
_NO_HEADINGS = "Headings are unknown, so pairs of any direction are drawn as one."


def drawings_of(report: Report) -> dict[str, Drawing]:
    """Returns the figures that the report has the numbers for, by name."""
    threshold_m = report.positive_dist_threshold_m
    drawings = []
    if report.recalls.num_evaluated:
        what = "place" if report.identity.of_places else "photo"
        drawings.append(recall_with_interval(report.recalls, threshold_m, what))
        drawings.append(recall_over_thresholds(report.recalls, threshold_m))
    if any(error.cdf_error_m for error in report.errors.values()):
        drawings.append(error_distribution(report.errors, marked_m=threshold_m))
    if report.confidence is not None and report.confidence.num_queries:
        drawings.append(precision_over_coverage(report.confidence))
        drawings.append(reliability(report.confidence))
    if any(division.strata for division in report.strata):
        overall = main_recalls(report)[0].value
        drawings.append(recall_over_strata(report.strata, overall))
    if report.smoothness is not None and report.smoothness.num_pairs:
        drawings.append(spatial_smoothness(report.smoothness))
    return {drawing.name: drawing for drawing in drawings}


def main_recalls(report: Report) -> list[Interval]:
    """Returns recall@N at the set's own threshold."""
    row = report.recalls.thresholds_m.index(report.positive_dist_threshold_m)
    return report.recalls.recalls[row]


def summary(report: Report, drawings: dict[str, Drawing]) -> Section:
    """Recall@N at the set's own threshold, and the other numbers at a glance."""
    if "recall" not in drawings:
        return Section("summary", "Summary", missing(_NO_POSITIONS))
    recalls = main_recalls(report)
    values = report.recalls.recall_values
    cells = [f"{interval.value:.1f}" for interval in recalls]
    intervals = [f"{i.low:.1f} to {i.high:.1f}" for i in recalls]
    level = f"{100 * report.bootstrap.level:g}%"
    numbers = table(
        ["at N", "recall (%)", f"{level} interval"],
        [list(row) for row in zip(map(str, values), cells, intervals, strict=True)],
        text_columns=(),
    )
    caption = (
        f"Bars: {level} intervals, "
        f"{report.bootstrap.num_resamples:,} resamples of the queries."
    )
    html = _headline(report) + side_by_side(chart(drawings["recall"], caption), numbers)
    return Section("summary", "Summary", html)


def _headline(report: Report) -> str:
    threshold = f"{report.positive_dist_threshold_m:g} m"
    recall = main_recalls(report)[0]
    n = report.recalls.recall_values[0]
    entries = [(recall, "%", f"recall@{n} within {threshold}")]
    error = report.errors.get(report.answer_method)
    if error is not None:
        entries.append((error.median_m, " m", "median error of the answers"))
        entries.append((error.p90_m, " m", "nine tenths of the errors are smaller"))
    confidence = report.confidence
    if confidence is not None:
        entries.append((confidence.answered_coverage, "%", "answered, sure enough"))
        entries.append((confidence.answered_precision, "%", "of those are right"))
    cells = "".join(_big_number(*entry) for entry in entries)
    return f'<div class="headline">{cells}</div>'


def _big_number(interval: Interval, unit: str, meaning: str) -> str:
    value = number(interval.value, 1, unit)
    ends = ""
    if math.isfinite(interval.low) and math.isfinite(interval.high):
        ends = f" [{interval.low:,.1f}, {interval.high:,.1f}]"
    return f"<div><b>{value}</b><span>{safe(meaning)}{ends}</span></div>"


def thresholds(report: Report, drawings: dict[str, Drawing]) -> Section:
    """Recall@N at every threshold."""
    title, short = "Recall at every distance", "Distances"
    if "recall_over_thresholds" not in drawings:
        return Section("distances", title, missing(_NO_POSITIONS), short)
    recalls, symbol = report.recalls, report.identity.symbol
    what = "places" if report.identity.of_places else "database photos"
    rows = [
        [f"{metre:g} m", *(with_interval(i) for i in row), f"{count:,}"]
        for metre, row, count in zip(
            recalls.thresholds_m,
            recalls.recalls,
            recalls.num_with_positives,
            strict=True,
        )
    ]
    header = ["within", *(f"{symbol}@{n} (%)" for n in recalls.recall_values)]
    is_main = [
        "main" if metre == report.positive_dist_threshold_m else ""
        for metre in recalls.thresholds_m
    ]
    numbers = table([*header, "with positives"], rows, row_classes=is_main)
    caption = "Band: interval of the lowest line. Dashed: the threshold of this set."
    note = (
        f'<p class="note">Of {recalls.num_evaluated:,} queries of known position; '
        f"those without positives, {what} near enough, count as not found.</p>"
    )
    left = chart(drawings["recall_over_thresholds"], caption)
    right = f'<div class="stacked">{numbers}{note}</div>'
    return Section("distances", title, side_by_side(left, right), short)


def errors(report: Report, drawings: dict[str, Drawing]) -> Section:
    """How far the answered positions are from the true ones."""
    title, short = "Error of the position", "Errors"
    if "error_distribution" not in drawings:
        return Section("errors", title, missing(_NO_POSITIONS), short)
    found = report.errors.values()
    within = f"within {report.positive_dist_threshold_m:g} m (%)"
    rows = [
        ["median (m)", *(with_interval(error.median_m) for error in found)],
        ["p75 (m)", *(with_interval(error.p75_m) for error in found)],
        ["p90 (m)", *(with_interval(error.p90_m) for error in found)],
        ["mean (m)", *(with_interval(error.mean_m) for error in found)],
        [within, *(with_interval(error.within_threshold) for error in found)],
        ["queries", *(f"{error.num_queries:,}" for error in found)],
    ]
    methods = [safe(name.replace("_", " ")) for name in report.errors]
    numbers = table(["error", *methods], rows)
    left = chart(drawings["error_distribution"], "Dots: medians.")
    right = f"<div>{numbers}{_errors_note(report)}</div>"
    return Section("errors", title, side_by_side(left, right), short)


def _errors_note(report: Report) -> str:
    method = safe(report.answer_method.replace("_", " "))
    note = f"The answers of this report are those of: {method}."
    unanswerable = max(error.num_unanswerable for error in report.errors.values())
    if unanswerable:
        count = count_of(unanswerable, "query has", "queries have")
        note += f" {count} no prediction of known position and no error."
    return f'<p class="note">{note}</p>'


def confidence(report: Report, drawings: dict[str, Drawing]) -> Section:
    """How far the confidence of an answer can be trusted."""
    title = "Confidence"
    found = report.confidence
    if found is None or "reliability" not in drawings:
        reason = report.why_no_confidence or "No query was answered."
        return Section("confidence", title, missing(reason))
    left = chart(
        drawings["precision_over_coverage"],
        f"Area {found.area.value:.3f}; {found.best_area:.3f} would be the area if "
        "every right answer were surer than every wrong one.",
    )
    right = chart(
        drawings["reliability"],
        "On the dashed line a confidence keeps its promise. Bars: 95% intervals; "
        "below: queries of each bin.",
    )
    html = facts(_confidence_facts(found)) + side_by_side(left, right)
    return Section("confidence", title, html + _calibration_bins(found))


def _calibration_bins(found: ConfidenceReport) -> str:
    rows = [
        [
            f"{100 * part.mean_confidence:.1f}",
            f"{100 * part.precision:.1f}",
            f"{part.num_queries:,}",
        ]
        for part in found.bins
    ]
    numbers = table(["confidence (%)", "right (%)", "queries"], rows, text_columns=())
    return f"<details><summary>Bins of the reliability</summary>{numbers}</details>"


def _confidence_facts(found: ConfidenceReport) -> list[tuple[str, str]]:
    if math.isfinite(found.chosen_threshold):
        chosen = f"{found.chosen_threshold:.3f}"
    else:
        chosen = "none reaches the wanted precision: nothing is answered"
    return [
        ("Right means", f"error of at most {found.threshold_m:g} m"),
        ("Calibrated on", f"{safe(found.calibrated_on)} ({safe(found.calibration)})"),
        ("Wanted precision", f"{100 * found.wanted_precision:g}%"),
        ("Answered from confidence", chosen),
        ("Queries answered", with_interval(found.answered_coverage, 1, "%")),
        ("Right among them", with_interval(found.answered_precision, 1, "%")),
        ("Right if all were answered", f"{100 * found.precision:.1f}%"),
        (
            "Expected calibration error",
            number(found.expected_calibration_error, 3),
        ),
        ("Area under precision over coverage", with_interval(found.area, 3)),
        ("Brier score", with_interval(found.brier_score, 3)),
    ]


def strata(report: Report, drawings: dict[str, Drawing]) -> Section:
    """Recall@1 by circumstances of the queries."""
    title, short = "Where it works and where it does not", "QueryAttributes"
    html = ""
    if "recall_over_strata" in drawings:
        caption = "Bars: 95% intervals (Wilson), wide where there are few queries."
        meanings = [
            (safe(circumstance(division.name)), _meaning(division))
            for division in report.strata
        ]
        figure = chart(drawings["recall_over_strata"], caption)
        html += side_by_side(figure, facts(meanings))
    if report.left_out_strata:
        html += '<p class="note">Not told by this data:</p>' * bool(html)
        html += facts(
            [
                (safe(circumstance(name)), _sentence(reason))
                for name, reason in report.left_out_strata.items()
            ]
        )
    return Section("circumstances", title, html or missing(_NO_POSITIONS), short)


def _sentence(text: str) -> str:
    return f"{safe(text[:1].upper())}{safe(text[1:].rstrip('.'))}."


def _meaning(division: Stratification) -> str:
    meaning = _sentence(division.definition)
    if division.num_unknown:
        meaning += f" Unknown for {count_of(division.num_unknown, 'query', 'queries')}."
    return meaning


def smoothness(report: Report, drawings: dict[str, Drawing]) -> Section:
    """Whether descriptors of near places are alike."""
    title, short = "Spatial smoothness", "Smoothness"
    found = report.smoothness
    if report.identity.of_places:
        return Section("smoothness", title, missing(_sentence(NO_DATABASE)), short)
    if found is None or "spatial_smoothness" not in drawings:
        reason = "It needs two or more database photos of known position."
        return Section("smoothness", title, missing(reason), short)
    lead = (
        '<p class="lead">A smooth descriptor grows less alike as the camera moves and '
        "turns, so that near photos are ranked before far ones.</p>"
    )
    headings = not math.isnan(found.spearman_heading)
    caption = f"{found.num_pairs:,} pairs of database photos. " + (
        "Each line: pairs whose headings differ by so much." if headings else ""
    )
    entries = [
        ("Rank correlation with metres", number(found.spearman_distance, 3)),
        (
            f"Rank correlation with turning, pairs within {metres(found.near_m)}",
            number(found.spearman_heading, 3) if headings else _NO_HEADINGS,
        ),
    ]
    figure = chart(drawings["spatial_smoothness"], caption)
    html = lead + side_by_side(figure, facts(entries))
    return Section("smoothness", title, html, short)
