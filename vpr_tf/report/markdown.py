"""A report as markdown, for papers and people."""

from __future__ import annotations

from vpr_tf.report.error_distribution import ErrorDistribution
from vpr_tf.report.identity import Identity
from vpr_tf.report.markdown_table import interval, markdown_table, number
from vpr_tf.report.report import NO_DATABASE, Report


def identity_lines(identity: Identity) -> list[str]:
    """Returns what was measured on what, one fact a line."""
    return [
        f"- set: {identity.set_name}, {identity.num_queries:,} queries, "
        f"{identity.known}",
        f"- dataset: {identity.dataset_fingerprint[:12]}",
        f"- encoder: {identity.encoder}, {identity.encoder_fingerprint[:12]}",
        f"- images: {identity.preprocessing}",
        f"- search: {identity.search}",
    ]


def report_markdown(report: Report) -> str:
    """Returns the content of table.md."""
    parts = [
        f"# {report.identity.set_name}",
        "\n".join(identity_lines(report.identity)),
        _explanation(report),
        "## Recall in percent",
        _recalls(report),
        "## Error of the answered position in metres",
        _errors(report),
        "## Confidence",
        _confidence(report),
        "## Recall@1 by circumstances of the query",
        _strata(report),
        "## Spatial smoothness of the descriptors",
        _smoothness(report),
    ]
    return "\n\n".join(parts) + "\n"


def _explanation(report: Report) -> str:
    settings, recalls = report.bootstrap, report.recalls
    without = len(report.queries_without_positives)
    unknown = len(report.queries_without_position)
    what = "place of the heads" if report.identity.of_places else "database image"
    text = (
        f"In brackets: {settings.level:.0%} intervals, percentile bootstrap over the "
        f"queries, {settings.num_resamples:,} resamples, seed {settings.seed} "
        "(at 0 and 100 it has no width, whatever the number of queries). "
        f"Recall is over {recalls.num_evaluated:,} queries; {without:,} of them have "
        f"no {what} within {report.positive_dist_threshold_m:g} m and count "
        "as not found."
    )
    if unknown:
        text += f" {unknown:,} further queries of unknown position are in no number."
    return text


def _recalls(report: Report) -> str:
    table = report.recalls
    method = report.identity.encoder.split(",")[0]
    symbol = report.identity.symbol
    rows = [
        [method, f"{threshold_m:g} m", *map(interval, row), f"{count:,}"]
        for threshold_m, row, count in zip(
            table.thresholds_m, table.recalls, table.num_with_positives, strict=True
        )
    ]
    header = ["method", "threshold", *(f"{symbol}@{n}" for n in table.recall_values)]
    return markdown_table([*header, "queries with positives"], rows)


def _errors(report: Report) -> str:
    rows = []
    for method, errors in report.errors.items():
        name = f"{method} (answered)" if method == report.answer_method else method
        rows.append([name, *_error_cells(errors)])
    share = f"within {report.positive_dist_threshold_m:g} m, %"
    header = ["method", "median", "mean", "p75", "p90", share, "queries", "no answer"]
    return markdown_table(header, rows)


def _error_cells(errors: ErrorDistribution) -> list[str]:
    measured = (errors.median_m, errors.mean_m, errors.p75_m, errors.p90_m)
    return [
        *(interval(value) for value in measured),
        interval(errors.within_threshold),
        f"{errors.num_queries:,}",
        f"{errors.num_unanswerable:,}",
    ]


def _confidence(report: Report) -> str:
    confidence = report.confidence
    if confidence is None:
        return f"Not measured: {report.why_no_confidence}."
    answered = (
        f"precision of the answers given (wanted {confidence.wanted_precision:.0%}), %"
    )
    rows = [
        ["precision of all answers, %", number(confidence.precision * 100)],
        ["area under precision over coverage", interval(confidence.area, 3)],
        ["the same, best possible order", number(confidence.best_area, 3)],
        [
            f"expected calibration error ({confidence.num_bins} bins of equally many)",
            number(confidence.expected_calibration_error, 3),
        ],
        ["Brier score", interval(confidence.brier_score, 3)],
        [
            "confidence from which on queries are answered",
            number(confidence.chosen_threshold, 3),
        ],
        ["coverage, % of the queries answered", interval(confidence.answered_coverage)],
        [answered, interval(confidence.answered_precision)],
    ]
    return (
        f"A right answer is within {confidence.threshold_m:g} m. Calibrated "
        f"({confidence.calibration}) on {confidence.calibrated_on}; measured here on "
        f"{confidence.num_queries:,} queries.\n\n" + markdown_table(["", "value"], rows)
    )


def _strata(report: Report) -> str:
    rows = []
    for division in report.strata:
        for stratum in division.strata:
            rows.append(
                [
                    f"{division.name}: {stratum.label}",
                    f"{stratum.num_queries:,}",
                    interval(stratum.recall_at_1),
                ]
            )
        if division.num_unknown:
            unknown = f"{division.num_unknown:,}"
            rows.append([f"{division.name}: unknown", unknown, "-"])
    lines = (
        [
            markdown_table(
                ["circumstance", "queries", f"{report.identity.symbol}@1"], rows
            )
        ]
        if rows
        else []
    )
    notes = [f"- {division.name}: {division.definition}" for division in report.strata]
    notes += [f"- {k}: left out, {why}" for k, why in report.left_out_strata.items()]
    notes.append("- In brackets here: Wilson intervals, made for few queries too.")
    return "\n\n".join([*lines, "\n".join(notes)])


def _smoothness(report: Report) -> str:
    smoothness = report.smoothness
    if report.identity.of_places:
        return f"Not measured: {NO_DATABASE}."
    if smoothness is None:
        return "Not measured: no two database images of known position are near."
    rows = [
        [f"{b.low:g} to {b.high:g} m", f"{b.num_pairs:,}"]
        + [number(value, 3) for value in (b.mean, b.p25, b.median, b.p75)]
        for b in smoothness.by_distance
        if b.num_pairs
    ]
    header = ["distance", "pairs", "mean cosine", "p25", "median", "p75"]
    text = (
        "Rank correlation (Spearman) of cosine similarity and metres: "
        f"{number(smoothness.spearman_distance, 3)}"
    )
    if smoothness.by_heading:
        text += (
            f"; and heading difference, within {smoothness.near_m:g} m: "
            f"{number(smoothness.spearman_heading, 3)}"
        )
    pairs = f"{smoothness.num_pairs:,} pairs of database images, seed {smoothness.seed}"
    return f"{text} ({pairs}).\n\n{markdown_table(header, rows)}"


def report_summary(report: Report) -> str:
    """Returns the main numbers in a few lines, for the terminal."""
    identity = report.identity
    lines = [f"Report on {identity.set_name}, {identity.num_queries:,} queries:"]
    if not report.recalls.num_evaluated:
        return lines[0] + " none has a known position, so nothing is measured."
    main = report.recalls.at(report.positive_dist_threshold_m)
    threshold = f"{report.positive_dist_threshold_m:g} m"
    symbol = report.identity.symbol
    recalls = [f"{symbol}@{n} {interval(recall)}" for n, recall in main.items()]
    lines.append(f"  within {threshold}: {', '.join(recalls)}")
    without = len(report.queries_without_positives)
    lines.append(f"  queries without positives: {without:,} (not found, counted)")
    for method, errors in report.errors.items():
        lines.append(
            f"  error of {method}: median {interval(errors.median_m)} m, "
            f"p90 {interval(errors.p90_m)} m, within {threshold} "
            f"{interval(errors.within_threshold)} %"
        )
    confidence = report.confidence
    if confidence is None:
        lines.append(f"  confidence: not measured, {report.why_no_confidence}")
    else:
        lines.append(
            f"  confidence (calibrated on {confidence.calibrated_on}): answers "
            f"{interval(confidence.answered_coverage)} % of the queries, "
            f"{interval(confidence.answered_precision)} % of these right; calibration "
            f"error {number(confidence.expected_calibration_error, 3)}"
        )
    return "\n".join(lines)
