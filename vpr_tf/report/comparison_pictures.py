"""Pictures of the queries that one of two runs finds and the other does not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vpr_tf.config import ConfigError, load_config
from vpr_tf.data.prepared_dataset import (
    DatasetError,
    EvaluationSet,
    PreparedDataset,
    SplitIndex,
)
from vpr_tf.report.comparison import ChangedQuery
from vpr_tf.report.failure_section import shot_figure
from vpr_tf.report.page_text import breakable, metres
from vpr_tf.report.stored_report import StoredReport


def dataset_at_hand(reports: Sequence[StoredReport]) -> PreparedDataset | None:
    """Finds the dataset of reports by the config.yaml of the run that they lie in.

    Args:
        reports: On the same dataset.

    Returns:
        The dataset; None when no run folder names it, or it is gone or another one.
    """
    for report in reports:
        folder = report.folder.resolve()
        for config in (parent / "config.yaml" for parent in folder.parents):
            if config.is_file():
                dataset = _opened(config, report.identity.dataset_fingerprint)
                if dataset is not None:
                    return dataset
    return None


def _opened(config: Path, fingerprint: str) -> PreparedDataset | None:
    try:
        dataset = PreparedDataset(load_config(config).dataset.path)
        return dataset if dataset.fingerprint == fingerprint else None
    except (ConfigError, DatasetError, KeyError, OSError):
        return None


def evaluation_set_of(dataset: PreparedDataset, name: str) -> EvaluationSet | None:
    """Returns a set by its name; None when the dataset has none."""
    return dataset.val if name == "val" else dataset.tests.get(name)


def changed_cases(
    changed: Sequence[ChangedQuery],
    reports: Sequence[StoredReport],
    dataset: PreparedDataset,
    evaluation_set: EvaluationSet,
) -> str:
    """Returns each query with the first prediction of both runs, HTML.

    Args:
        changed: The queries.
        reports: Of the first and the second run.
        dataset: Holds the pictures.
        evaluation_set: Names of its splits.
    """
    queries = dataset.split(evaluation_set.queries)
    database = dataset.split(evaluation_set.database)
    rows_of = {key: row for row, key in enumerate(reports[0].keys)}
    keys = [
        reports[i].columns["prediction_1"][rows_of[c.key]]
        for c in changed
        for i in (0, 1)
    ]
    records = _records(database, keys)
    cases = []
    for number, query in enumerate(changed):
        row = rows_of[query.key]
        shots = [shot_figure(queries, row, "query", query.key, "query")]
        for i, name in enumerate(("first run", "second run")):
            key = keys[2 * number + i]
            found = (query.change == "gained") == bool(i)
            shots.append(
                shot_figure(
                    database,
                    records.get(key, -1),
                    f"{name}: {_distance(reports[i], row)}",
                    key,
                    "hit" if found else "miss",
                )
            )
        cases.append(_case(query, shots))
    return "\n".join(cases)


def _case(query: ChangedQuery, shots: Sequence[str]) -> str:
    state = "right" if query.change == "gained" else "wrong"
    errors = f"error {metres(query.first_error_m)}, then {metres(query.second_error_m)}"
    return (
        f'<div class="pair"><h3><span class="tag {state}">{query.change}</span>'
        f'<span class="name">{breakable(query.key)}</span><span>{errors}</span></h3>'
        f'<div class="strip">{"".join(shots)}</div></div>'
    )


def _distance(report: StoredReport, row: int) -> str:
    text = report.columns["prediction_1_m"][row]
    return metres(float(text) if text else math.nan)


def _records(split: SplitIndex, keys: Sequence[str]) -> dict[str, int]:
    """Returns the records of some keys; one pass over the keys of the split."""
    wanted = np.array(sorted({key.encode() for key in keys}))
    all_keys = np.asarray(split.keys)
    rows = np.flatnonzero(np.isin(all_keys, wanted))
    return {all_keys[row].decode(errors="replace"): int(row) for row in rows}
