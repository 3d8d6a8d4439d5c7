"""Which sets runs have reports on: the columns of a table of runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vpr_tf.report.errors import ReportError
from vpr_tf.report.stored_report import REPORT_FOLDER, StoredReport


@dataclass(frozen=True)
class SetColumn:
    """A set that runs were evaluated on.

    Attributes:
        name: Its name; `<dataset>/<set>` where there are several datasets.
        set_name: Its name in reports.
        fingerprints: Of its dataset; several where runs disagree in it.
        symbol: What recall is called: `R`, `LR`, or `R/LR` of both.
    """

    name: str
    set_name: str
    fingerprints: list[str]
    symbol: str

    def has(self, report: StoredReport) -> bool:
        """Returns whether a report is on this set."""
        identity = report.identity
        return (
            identity.set_name == self.set_name
            and identity.dataset_fingerprint in self.fingerprints
        )

    def reports_of(self, runs: Sequence[Sequence[StoredReport]]) -> list[StoredReport]:
        """Returns the report of each of some runs that has one.

        Raises:
            ReportError: A run has two.
        """
        found = []
        for reports in runs:
            own = [report for report in reports if self.has(report)]
            if len(own) > 1:
                raise ReportError(
                    "A run must have one report on a set to be put into a table. "
                    f"Received: {own[0].folder} and {own[1].folder}, both on "
                    f"{self.name}. Name the folder of one of them instead of the run."
                )
            found += own
        return found


def set_columns(
    runs: Sequence[Sequence[StoredReport]], set_names: Sequence[str] = ()
) -> list[SetColumn]:
    """Returns the sets in their order.

    Where a run has a set of several datasets, each dataset is a column. Otherwise all
    reports on a set are one, and are expected to be of one dataset.

    Args:
        runs: The reports of each run.
        set_names: Names of sets; empty for all, in the order of the reports.

    Raises:
        ReportError: No run has a report on a set.
    """
    reports = [report for run in runs for report in run]
    known = list(dict.fromkeys(report.identity.set_name for report in reports))
    missing = [name for name in set_names if name not in known]
    if missing:
        raise ReportError(
            f"At least one run must have a report on each set. Received: "
            f"{', '.join(missing)}; there are reports on: {', '.join(known)}"
        )
    columns = []
    for name in dict.fromkeys(set_names or known):
        own = [report for report in reports if report.identity.set_name == name]
        prints = list(dict.fromkeys(r.identity.dataset_fingerprint for r in own))
        several = any(
            sum(report.identity.set_name == name for report in run) > 1 for run in runs
        )
        for each in [[one] for one in prints] if several else [prints]:
            symbols = [
                r.identity.symbol for r in own if r.identity.dataset_fingerprint in each
            ]
            symbol = "/".join(dict.fromkeys(symbols))
            columns.append(SetColumn(name, name, each, symbol))
    return _named(columns, reports)


def _named(
    columns: Sequence[SetColumn], reports: Sequence[StoredReport]
) -> list[SetColumn]:
    """Puts the dataset before the name of a set where there are several."""
    if len({tuple(column.fingerprints) for column in columns}) == 1:
        return list(columns)
    folders = [_dataset_of(column, reports) for column in columns]
    names = [f"{f}/{c.set_name}" for f, c in zip(folders, columns, strict=True)]
    if len(set(names)) < len(names):
        names = [f"{c.fingerprints[0][:8]}/{c.set_name}" for c in columns]
    return [
        SetColumn(name, column.set_name, column.fingerprints, column.symbol)
        for name, column in zip(names, columns, strict=True)
    ]


def _dataset_of(column: SetColumn, reports: Sequence[StoredReport]) -> str:
    """Returns the folder of the dataset in a run, else the start of its fingerprint."""
    for report in filter(column.has, reports):
        parts = report.folder.parts
        if parts[-1:] == parts[-4:-3] == (REPORT_FOLDER,):
            return parts[-3]
    return column.fingerprints[0][:8]
