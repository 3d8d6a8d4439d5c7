"""Reads what `vpr evaluate --report` wrote, without encoder or dataset."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vpr_tf.config import check_name
from vpr_tf.config.rules import MOST_RESAMPLES
from vpr_tf.report.bootstrap import BootstrapSettings
from vpr_tf.report.errors import ReportError
from vpr_tf.report.per_query import hit_rank_column, read_per_query
from vpr_tf.report.report import FORMAT_VERSION, Identity
from vpr_tf.stored_paths import StoredPathError, found_inside, inside
from vpr_tf.stored_values import from_stored, read_json

REPORT_FOLDER = "report"  # in the folder of a set
_MOST_LISTED = 100  # distances, and values of N
# Where reports lie from what a user names: the report itself, the folder of a set, of a
# dataset, of an output, of a run; then those of former versions.
_PLACES = (
    "",
    f"{REPORT_FOLDER}/",
    f"*/{REPORT_FOLDER}/",
    f"*/*/{REPORT_FOLDER}/",
    f"report/*/*/{REPORT_FOLDER}/",
    "*/",
    "report/*/",
    "evaluation/report/*/",
)


@dataclass(frozen=True, eq=False)
class StoredReport:
    """What two reports are compared by.

    Attributes:
        folder: The folder of metrics.json and per_query.csv.
        identity: What was measured on what.
        bootstrap: How intervals were made.
        threshold_m: The set's positive distance.
        thresholds_m: Distances of the recalls.
        recall_values: The values of N.
        columns: per_query.csv as text.
    """

    folder: Path
    identity: Identity
    bootstrap: BootstrapSettings
    threshold_m: float
    thresholds_m: list[float]
    recall_values: list[int]
    columns: dict[str, list[str]]

    @property
    def keys(self) -> list[str]:
        """Record keys of the queries."""
        return self.columns["key"]

    @property
    def known(self) -> np.ndarray:
        """Whether each query's position is known."""
        return ~np.isnan(self.hit_ranks(self.threshold_m))

    @property
    def error_m(self) -> np.ndarray:
        """Error of each localization, float64 `(num_queries,)`; NaN where unknown."""
        return _numbers(self.columns["error_m"])

    @property
    def match_m(self) -> np.ndarray:
        """Distance of each first prediction, likewise."""
        return _numbers(self.columns["prediction_1_m"])

    def hit_ranks(self, threshold_m: float) -> np.ndarray:
        """Returns the rank of each query's first positive; 0 without, NaN unknown."""
        return _numbers(self.columns[hit_rank_column(threshold_m)])


def _checked(identity: Identity) -> Identity:
    """Checks what becomes part of a path."""
    check_name("set_name", identity.set_name)
    check_name("dataset_fingerprint", identity.dataset_fingerprint)
    return identity


def _numbers(texts: list[str]) -> np.ndarray:
    """Returns numbers of 0 or more; NaN for empty texts."""
    found = np.array([float(text) if text else np.nan for text in texts], np.float64)
    if np.isinf(found).any() or (found < 0).any():
        raise ValueError("per_query.csv holds errors or ranks below 0, or infinite")
    return found


@dataclass(frozen=True)
class _Recalls:
    thresholds_m: list[float]
    recall_values: list[int]


@dataclass(frozen=True)
class _Metrics:
    """What is read of metrics.json."""

    identity: Identity
    bootstrap: BootstrapSettings
    positive_dist_threshold_m: float
    recalls: _Recalls

    def __post_init__(self) -> None:
        numbers = [self.positive_dist_threshold_m, *self.recalls.thresholds_m]
        numbers += [*self.recalls.recall_values, self.bootstrap.num_resamples]
        if min(numbers) <= 0 or not 0 < self.bootstrap.level < 1:
            raise ValueError(
                f"thresholds, values of N and resamples must be above 0: {numbers}"
            )
        listed = self.recalls.thresholds_m, self.recalls.recall_values
        if not all(1 <= len(values) <= _MOST_LISTED for values in listed):
            raise ValueError(
                f"recalls must have 1 to {_MOST_LISTED} thresholds_m and recall_values"
            )
        if self.bootstrap.num_resamples > MOST_RESAMPLES or self.bootstrap.seed < 0:
            raise ValueError(
                f"bootstrap must have a seed of 0 or more, and at most "
                f"{MOST_RESAMPLES:,} resamples: {self.bootstrap}"
            )


def _check_queries(report: StoredReport) -> None:
    """Checks what the columns say of each query, one against the other."""
    if len(set(report.keys)) != len(report.keys):
        raise ValueError("per_query.csv names a query twice")
    former = np.zeros(len(report.keys))
    for threshold_m in sorted({report.threshold_m, *report.thresholds_m}):
        ranks = report.hit_ranks(threshold_m)
        if not np.array_equal(np.isnan(ranks), ~report.known):
            raise ValueError("per_query.csv differs in whose position is known")
        ranks = ranks[report.known]
        before = former[report.known]
        if (ranks % 1).any() or ((before > 0) & ((ranks < 1) | (ranks > before))).any():
            raise ValueError(
                f"{hit_rank_column(threshold_m)} must hold ranks, no later ones than "
                "of a smaller distance"
            )
        former[report.known] = ranks


def read_report(folder: Path) -> StoredReport:
    """Reads a folder that holds metrics.json and per_query.csv.

    Raises:
        ReportError: A file is missing or damaged, or of another format version.
    """
    try:
        content = read_json(inside(folder, "metrics.json"))
        version = content["format_version"]
        if version != FORMAT_VERSION:
            raise ReportError(
                f"{folder} has format_version {version!r}; this program reads "
                f"{FORMAT_VERSION}. Run `vpr evaluate --report` again."
            )
        metrics = from_stored(_Metrics, content, more=True)
        report = StoredReport(
            folder=folder,
            identity=_checked(metrics.identity),
            bootstrap=metrics.bootstrap,
            threshold_m=metrics.positive_dist_threshold_m,
            thresholds_m=metrics.recalls.thresholds_m,
            recall_values=metrics.recalls.recall_values,
            columns=read_per_query(inside(folder, "per_query.csv")),
        )
        counts = {len(report.keys), report.identity.num_queries, len(report.error_m)}
        counts.add(len(report.match_m))
        thresholds = [report.threshold_m, *report.thresholds_m]
        counts |= {len(report.hit_ranks(t)) for t in thresholds}
        if len(counts) == 1:
            _check_queries(report)
    except ReportError:
        raise
    except (OSError, ValueError, LookupError, TypeError, csv.Error) as error:
        raise ReportError(
            f"Cannot read the report in {folder}: {type(error).__name__}: {error}. Run "
            "`vpr evaluate --report` again."
        ) from error
    if len(counts) != 1:
        raise ReportError(
            f"{folder} is damaged: metrics.json and per_query.csv differ in the number "
            f"of queries ({sorted(counts)}). Run `vpr evaluate --report` again."
        )
    return report


def find_reports(folder: Path) -> list[StoredReport]:
    """Finds the reports of a run, of all datasets and sets.

    Args:
        folder: A report, an output folder of `vpr evaluate`, or a run folder.

    Raises:
        ReportError: There is no report, or one is damaged.
    """
    for pattern in _PLACES:
        paths = list(found_inside(folder, f"{pattern}per_query.csv"))
        if paths:
            return [read_report(_received(folder, path).parent) for path in paths]
    raise ReportError(
        f"No report in {folder}. Pass a folder that `vpr evaluate --report` wrote, "
        "e.g. runs/<name>/<time>."
    )


def _received(folder: Path, path: Path) -> Path:
    """Returns a path found in a folder, none of which is a link."""
    try:
        return inside(folder, path.relative_to(folder).as_posix())
    except StoredPathError as error:
        raise ReportError(str(error)) from error
