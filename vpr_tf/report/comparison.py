"""Two encoders on the same queries.

Reference:
    McNemar, "Note on the sampling error of the difference between correlated
    proportions or percentages", 1947 (here exact); Wilcoxon, "Individual comparisons
    by ranking methods", 1945.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from vpr_tf.report.bootstrap import (
    BootstrapSettings,
    bootstrap_percentages,
    bootstrap_statistics,
)
from vpr_tf.report.errors import ReportError
from vpr_tf.report.json_values import json_ready
from vpr_tf.report.report import Identity
from vpr_tf.report.stored_report import StoredReport
from vpr_tf.tables import Interval


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
        first_match_m: Distance of the first encoder's first match, which the change is
            judged by; NaN where unknown.
        second_match_m: Of the second encoder's.
        first_error_m: Error of the position that the first encoder estimates, perhaps
            of several matches; NaN where unknown.
        second_error_m: Of the second encoder's.
    """

    key: str
    change: str
    first_match_m: float
    second_match_m: float
    first_error_m: float
    second_error_m: float


@dataclass(frozen=True)
class Comparison:
    """What changed from the first encoder to the second.

    Attributes:
        first: Identity of the first.
        second: Identity of the second.
        num_queries: Queries of known position, all paired.
        positive_dist_threshold_m: Largest distance of a right prediction.
        bootstrap: How the intervals were made.
        differences: Recalls and errors.
        num_gained: Queries right at rank 1 for the second only.
        num_lost: Queries right at rank 1 for the first only.
        mcnemar_p: Two-sided p-value of the exact McNemar test on recall@1.
        wilcoxon_p: Two-sided p-value of Wilcoxon's signed-rank test on the errors;
            NaN when no error differs.
        changed: The gained and lost queries, lost ones first.
    """

    first: Identity
    second: Identity
    num_queries: int
    positive_dist_threshold_m: float
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


def compare(
    first: StoredReport, second: StoredReport, *, anyway: bool = False
) -> Comparison:
    """Compares two encoders query by query.

    Args:
        first: Report of the encoder to compare with.
        second: Report of the other encoder, on the same queries.
        anyway: Whether their protocols may differ; then the queries that count by
            both are compared.

    Raises:
        ReportError: The reports are not on the same queries, or of two protocols, or
            no query has a known position.
    """
    check_comparable(first, second, anyway)
    known = np.flatnonzero(first.known & second.known)
    if not len(known):
        raise ReportError(
            f"No query of {first.identity.set_name!r} has a known position, so there "
            "is nothing to compare."
        )
    settings = first.bootstrap
    found = [report.hit_ranks(report.threshold_m)[known] for report in (first, second)]
    at_1 = [ranks == 1 for ranks in found]
    match_m, error_m = (
        [getattr(report, name)[known] for report in (first, second)]
        for name in ("match_m", "error_m")
    )
    gained, lost = at_1[1] & ~at_1[0], at_1[0] & ~at_1[1]
    return Comparison(
        first=first.identity,
        second=second.identity,
        num_queries=len(known),
        positive_dist_threshold_m=first.threshold_m,
        bootstrap=settings,
        differences=[
            *_recall_differences(first, second, known, settings),
            *_error_differences(error_m[0], error_m[1], settings),
        ],
        num_gained=int(gained.sum()),
        num_lost=int(lost.sum()),
        mcnemar_p=mcnemar_p(int(gained.sum()), int(lost.sum())),
        wilcoxon_p=wilcoxon_p(*error_m),
        changed=[
            ChangedQuery(
                first.keys[known[row]],
                change,
                *(float(values[row]) for values in (*match_m, *error_m)),
            )
            for change, rows in (("lost", lost), ("gained", gained))
            for row in np.flatnonzero(rows)
        ],
    )


def check_comparable(first: StoredReport, second: StoredReport, anyway: bool) -> None:
    """Checks that two reports are on the same queries.

    Args:
        first: One report.
        second: The other.
        anyway: Whether their protocols may differ.

    Raises:
        ReportError: They are not.
    """
    protocols = first.identity.protocol, second.identity.protocol
    if protocols[0] != protocols[1] and not anyway:
        raise ReportError(
            f"{first.folder} is of the protocol {protocols[0]} and {second.folder} of "
            f"{protocols[1]}, whose recalls are not comparable. Evaluate both with the "
            "same `evaluation.protocol`, or pass --anyway to compare the queries that "
            "count by both."
        )
    rules = (
        ("set", first.identity.set_name, second.identity.set_name),
        (
            "dataset",
            first.identity.dataset_fingerprint,
            second.identity.dataset_fingerprint,
        ),
        ("positive distance", first.threshold_m, second.threshold_m),
        ("number of queries", len(first.keys), len(second.keys)),
    )
    for name, one, other in rules:
        if one != other:
            raise ReportError(
                f"Two reports must have the same {name} to be compared. Received: "
                f"{one} in {first.folder} and {other} in {second.folder}. Run "
                "`vpr evaluate --report` for both on the same set."
            )
    same_known = np.array_equal(first.known, second.known)
    if first.keys != second.keys or (protocols[0] == protocols[1] and not same_known):
        raise ReportError(
            f"The queries of {first.folder} and {second.folder} are not the same, "
            "though their datasets are. Run `vpr evaluate --report` again for both."
        )


def mcnemar_p(num_gained: int, num_lost: int) -> float:
    """Returns the two-sided p-value of the exact McNemar test; 1 without changes."""
    from scipy.stats import binomtest

    changed = num_gained + num_lost
    return float(binomtest(num_gained, changed).pvalue) if changed else 1.0


def wilcoxon_p(first: np.ndarray, second: np.ndarray) -> float:
    """Returns the two-sided p-value of Wilcoxon's signed-rank test.

    Pairs without a difference are left out; NaN when no pair is left.
    """
    from scipy.stats import wilcoxon

    difference = second - first
    difference = difference[np.isfinite(difference) & (difference != 0)]
    return float(wilcoxon(difference).pvalue) if len(difference) else math.nan


def _recall_differences(
    first: StoredReport,
    second: StoredReport,
    known: np.ndarray,
    settings: BootstrapSettings,
) -> list[Difference]:
    """Compares recalls at the thresholds and values of N that both have."""
    names, pairs = [], []
    symbol = recall_symbol(first.identity, second.identity)
    thresholds_m = [t for t in first.thresholds_m if t in second.thresholds_m]
    recall_values = [n for n in first.recall_values if n in second.recall_values]
    for threshold_m in thresholds_m:
        ranks = [r.hit_ranks(threshold_m)[known] for r in (first, second)]
        for n in recall_values:
            names.append(f"{symbol}@{n} at {threshold_m:g} m")
            pairs.append([(r > 0) & (r <= n) for r in ranks])
    if not pairs:
        return []
    found = np.array(pairs, np.int64).transpose(1, 2, 0)
    one, other = found.mean(axis=1) * 100
    intervals = bootstrap_percentages(found[1] - found[0], settings)
    return [
        Difference(*entry)
        for entry in zip(
            names,
            ["%"] * len(names),
            one.tolist(),
            other.tolist(),
            intervals,
            strict=True,
        )
    ]


def recall_symbol(first: Identity, second: Identity) -> str:
    """Returns what the recall of both is called: R, LR, or both names."""
    return "/".join(dict.fromkeys((first.symbol, second.symbol)))


def _error_differences(
    first: np.ndarray, second: np.ndarray, settings: BootstrapSettings
) -> list[Difference]:
    localized = np.isfinite(first) & np.isfinite(second)
    if not localized.any():
        return []
    pairs = np.stack([first[localized], second[localized]], axis=1)
    quantiles = {"median error": 0.5, "p90 error": 0.9}
    levels = list(quantiles.values())

    def differences(samples: np.ndarray) -> np.ndarray:
        one, other = np.moveaxis(np.quantile(samples, levels, axis=1), -1, 0)
        return (other - one).T

    intervals = bootstrap_statistics(differences, pairs, settings)
    values = np.quantile(pairs, levels, axis=0)
    return [
        Difference(name, "m", float(one), float(other), interval)
        for name, (one, other), interval in zip(
            quantiles, values, intervals, strict=True
        )
    ]
