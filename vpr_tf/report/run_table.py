"""Any number of runs on any number of sets: recalls, and tests against a baseline."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vpr_tf.report.bootstrap import BootstrapSettings, bootstrap_percentages
from vpr_tf.report.comparison import check_comparable, mcnemar_p
from vpr_tf.report.errors import ReportError
from vpr_tf.report.json_values import json_ready
from vpr_tf.report.proportions import wilson_percentages
from vpr_tf.report.recalls import found_within
from vpr_tf.report.run_seeds import SeedGroup, group_by_seed
from vpr_tf.report.set_columns import SetColumn, set_columns
from vpr_tf.report.stored_report import StoredReport, find_reports
from vpr_tf.tables import Interval

_TIME = re.compile(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d")  # as run folders are named

RECALL_VALUES = (1, 5)


@dataclass(frozen=True)
class RunRecall:
    """Recall@N of a row on a set, in percent.

    Attributes:
        n: N.
        value: Of one run, with Wilson's interval; of several seeds their mean, without.
        deviation: Standard deviation over the seeds; NaN of one run.
        difference: Minus the baseline, with a paired bootstrap interval over the
            queries; NaN without a pair.
    """

    n: int
    value: Interval
    deviation: float
    difference: Interval


@dataclass(frozen=True)
class RunCell:
    """A row on a set.

    Attributes:
        num_runs: Runs of the row that have a report on it.
        num_queries: Queries that count.
        positive_dist_threshold_m: Largest distance of a right prediction.
        protocol: Of `vpr_tf.config.PROTOCOLS`.
        dataset_fingerprint: Hash over the dataset's shards.
        recalls: At each of `RECALL_VALUES` that was evaluated.
        num_paired: Queries that count here and for the baseline; 0 without a pair.
        num_gained: Paired queries right at rank 1 here only; None of several seeds and
            without a pair.
        num_lost: Right at rank 1 for the baseline only, likewise.
        mcnemar_p: Two-sided p-value of the exact McNemar test on recall@1; NaN
            likewise.
    """

    num_runs: int
    num_queries: int
    positive_dist_threshold_m: float
    protocol: str
    dataset_fingerprint: str
    recalls: list[RunRecall]
    num_paired: int
    num_gained: int | None
    num_lost: int | None
    mcnemar_p: float

    def recall(self, n: int) -> RunRecall | None:
        """Returns recall@N; None where it was not evaluated."""
        return next((recall for recall in self.recalls if recall.n == n), None)


@dataclass(frozen=True)
class RunRow:
    """A run, or runs that differ in the seed alone.

    Attributes:
        name: Of the config of seeds, or of the first run; short where it tells apart.
        folders: As they were named.
        seeds: Of the configs; empty where runs are not grouped.
        encoders: What was measured, for people; one, unless sets differ in it.
        preprocessings: How images are prepared, likewise.
        searches: `exact`, `approximate` or `heads`, likewise.
        cells: One a set; None where no run has a report on it.
    """

    name: str
    folders: list[str]
    seeds: list[int]
    encoders: list[str]
    preprocessings: list[str]
    searches: list[str]
    cells: list[RunCell | None]


@dataclass(frozen=True)
class RunTable:
    """Runs by sets.

    Attributes:
        columns: The sets.
        rows: The runs; the first is the baseline.
        bootstrap: How the intervals were made.
    """

    columns: list[SetColumn]
    rows: list[RunRow]
    bootstrap: BootstrapSettings

    @property
    def has_pairs(self) -> bool:
        """Whether a run shares queries with the baseline."""
        cells = [cell for row in self.rows for cell in row.cells if cell is not None]
        return any(cell.num_paired for cell in cells)

    @property
    def is_grouped(self) -> bool:
        """Whether runs that differ in the seed alone are one row."""
        return bool(self.rows[0].seeds)

    def to_dict(self) -> dict[str, Any]:
        """Returns the table as JSON-ready values."""
        return dict(json_ready(self))


def tabulate_runs(
    runs: Sequence[str | Path],
    *,
    set_names: Sequence[str] = (),
    group_seeds: bool = False,
    anyway: bool = False,
) -> RunTable:
    """Puts the reports of runs into one table.

    Args:
        runs: Folders of the reports, see `find_reports`; the first is the baseline.
        set_names: Evaluation sets in the order of the columns; empty for all.
        group_seeds: Whether runs whose configs differ only in `seed` are one row.
        anyway: Whether runs on a set may be of different protocols, which are paired
            on the queries that count by both, or datasets, which are not paired.

    Raises:
        ReportError: A report is missing or damaged, no run has a set, or runs on a set
            are of different queries, protocols or datasets.
    """
    folders = [Path(run) for run in runs]
    found = [find_reports(folder) for folder in folders]
    if group_seeds:
        groups = group_by_seed(folders, found)
    else:
        pairs = zip(folders, found, strict=True)
        groups = [SeedGroup([folder], [reports], []) for folder, reports in pairs]
    settings = found[0][0].bootstrap
    columns = set_columns(found, set_names)
    cells = []
    for column in columns:
        by_row = [column.reports_of(group.runs) for group in groups]
        _check_column([report for row in by_row for report in row], anyway)
        for row in by_row:
            _check_seeds(row)
        cells.append([_cell(row, by_row[0], settings) for row in by_row])
    names = _names(groups)
    rows = [
        _row(group, name, list(own))
        for group, name, own in zip(
            groups, names, zip(*cells, strict=True), strict=True
        )
    ]
    return RunTable(columns, rows, settings)


def _row(group: SeedGroup, name: str, cells: list[RunCell | None]) -> RunRow:
    identities = [report.identity for report in group.reports]
    return RunRow(
        name=name,
        folders=[str(folder) for folder in group.folders],
        seeds=group.seeds,
        encoders=list(dict.fromkeys(each.encoder for each in identities)),
        preprocessings=list(dict.fromkeys(each.preprocessing for each in identities)),
        searches=list(dict.fromkeys(each.search for each in identities)),
        cells=cells,
    )


def _names(groups: Sequence[SeedGroup]) -> list[str]:
    """Returns what tells rows apart: the config, `<name>/<time>`, or all."""
    folders = [group.folders[0] for group in groups]
    configs = [
        group.config_name or (folder.parent.name if _TIME.match(folder.name) else "")
        for group, folder in zip(groups, folders, strict=True)
    ]
    if all(configs) and len(set(configs)) == len(groups):
        return configs
    short = [str(Path(*folder.parts[-2:])) for folder in folders]
    distinct = len(set(short)) == len(set(folders))
    return short if distinct else [str(folder) for folder in folders]


def _check_column(reports: Sequence[StoredReport], anyway: bool) -> None:
    """Checks each two reports of a column that may be paired; one is enough of each."""
    firsts: dict[str, StoredReport] = {}
    for report in reports:
        key = report.identity.dataset_fingerprint if anyway else ""
        check_comparable(firsts.setdefault(key, report), report, anyway)


def _check_seeds(reports: Sequence[StoredReport]) -> None:
    """Checks that the runs of a row were evaluated alike, if their seeds differ."""
    for report in reports[1:]:
        for name in (
            *("dataset_fingerprint", "protocol", "method"),
            *("preprocessing", "search", "engine"),
        ):
            one, other = (getattr(r.identity, name) for r in (reports[0], report))
            if one != other:
                raise ReportError(
                    f"Seeds must have the same {name} to be grouped. Received: {one} "
                    f"in {reports[0].folder} and {other} in {report.folder}. Evaluate "
                    "both alike, or leave --group-seeds out."
                )


def _cell(
    reports: Sequence[StoredReport],
    baseline: Sequence[StoredReport],
    settings: BootstrapSettings,
) -> RunCell | None:
    """Measures a row on a set, and against the baseline unless it is that itself."""
    if not reports:
        return None
    first = reports[0]
    values = [n for n in RECALL_VALUES if all(n in r.recall_values for r in reports)]
    paired = np.zeros(len(first.keys), bool)
    if baseline and baseline is not reports and _same_dataset(first, baseline[0]):
        paired = first.known & baseline[0].known
    shared = [n for n in values if all(n in r.recall_values for r in baseline)]
    differences = dict.fromkeys(values, Interval(math.nan))
    if paired.any() and shared:
        one, other = (_hits(r, shared)[:, paired] for r in (baseline, reports))
        intervals = bootstrap_percentages(other.mean(0) - one.mean(0), settings)
        differences |= dict(zip(shared, intervals, strict=True))
    gained, lost, p = _changes(reports, baseline, paired)
    per_run = _hits(reports, values)[:, first.known]
    return RunCell(
        num_runs=len(reports),
        num_queries=int(first.known.sum()),
        positive_dist_threshold_m=first.threshold_m,
        protocol=first.identity.protocol,
        dataset_fingerprint=first.identity.dataset_fingerprint,
        recalls=[
            RunRecall(n, *_value(per_run[..., column], settings), differences[n])
            for column, n in enumerate(values)
        ],
        num_paired=int(paired.sum()),
        num_gained=gained,
        num_lost=lost,
        mcnemar_p=p,
    )


def _same_dataset(one: StoredReport, other: StoredReport) -> bool:
    return one.identity.dataset_fingerprint == other.identity.dataset_fingerprint


def _hits(reports: Sequence[StoredReport], values: Sequence[int]) -> np.ndarray:
    """Returns what was found, float64 `(num_runs, num_queries, num_values)`."""
    ranks = [report.hit_ranks(report.threshold_m) for report in reports]
    found = [[found_within(rank, n) for n in values] for rank in ranks]
    shape = (len(reports), len(values), len(reports[0].keys))
    return np.array(found, np.float64).reshape(shape).transpose(0, 2, 1)


def _value(hits: np.ndarray, settings: BootstrapSettings) -> tuple[Interval, float]:
    """Returns the percentage of hits `(num_runs, num_queries)`, and its deviation."""
    if len(hits) == 1 or not hits.size:
        return wilson_percentages(hits[0, :, None], settings.level)[0], math.nan
    recalls = hits.mean(axis=1) * 100
    return Interval(float(recalls.mean())), float(recalls.std(ddof=1))


def _changes(
    reports: Sequence[StoredReport],
    baseline: Sequence[StoredReport],
    paired: np.ndarray,
) -> tuple[int | None, int | None, float]:
    """Returns gained and lost queries at rank 1 and McNemar's p, of one run by row."""
    if not paired.any() or len(reports) > 1 or len(baseline) > 1:
        return None, None, math.nan
    other, one = (_hits(r, [1])[0, paired, 0] > 0 for r in (reports, baseline))
    gained, lost = int((other & ~one).sum()), int((one & ~other).sum())
    return gained, lost, mcnemar_p(gained, lost)
