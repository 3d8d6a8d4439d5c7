"""Pictures of the queries that one of two runs finds and the other does not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vpr_tf.config import ConfigError, load_saved_config
from vpr_tf.data.prepared_dataset import DatasetError, PreparedDataset, SplitIndex
from vpr_tf.report.comparison import ChangedQuery, Comparison
from vpr_tf.report.pictures import Shot, take_shot
from vpr_tf.report.run_seeds import config_paths
from vpr_tf.report.stored_report import StoredReport
from vpr_tf.tables import metres


def dataset_at_hand(reports: Sequence[StoredReport]) -> PreparedDataset | None:
    """Finds the dataset of reports by the config.yaml of the run that they lie in.

    Args:
        reports: On the same dataset.

    Returns:
        The dataset; None when no run folder names it, or it is gone or another one.
    """
    for report in reports:
        for config in config_paths(report):
            dataset = _opened(config, report.identity.dataset_fingerprint)
            if dataset is not None:
                return dataset
    return None


def _opened(config: Path, fingerprint: str) -> PreparedDataset | None:
    try:
        dataset = PreparedDataset(load_saved_config(config).dataset.path)
        return dataset if dataset.fingerprint == fingerprint else None
    except (ConfigError, DatasetError, KeyError, OSError):
        return None


def changed_pictures(
    comparison: Comparison,
    reports: Sequence[StoredReport],
    dataset: PreparedDataset,
    most: int,
) -> list[tuple[ChangedQuery, Shot, list[Shot]]] | None:
    """Returns changed queries, their photos and the first prediction of both runs.

    Args:
        comparison: What changed.
        reports: Of the first and the second run.
        dataset: Holds the pictures.
        most: Gained queries, and lost ones.

    Returns:
        None when the dataset has no such set.
    """
    name = comparison.first.set_name
    chosen = dataset.val if name == "val" else dataset.tests.get(name)
    if chosen is None:
        return None
    queries, database = map(dataset.split, (chosen.queries, chosen.database))
    lost, gained = (
        [query for query in comparison.changed if query.change == change][:most]
        for change in ("lost", "gained")
    )
    rows = {key: row for row, key in enumerate(reports[0].keys)}
    shown = [(query, rows[query.key]) for query in lost + gained]
    predicted = [report.columns["prediction_1"] for report in reports]
    keys = {column[row] for column in predicted for _, row in shown}
    records = _records(database, sorted(keys))
    return [
        (
            query,
            take_shot(queries, row),
            [
                take_shot(
                    database,
                    records.get(predicted[run][row], -1),
                    _distance(reports[run], row),
                    is_positive=(query.change == "gained") == bool(run),
                )
                for run in (0, 1)
            ],
        )
        for query, row in shown
    ]


def _distance(report: StoredReport, row: int) -> str:
    text = report.columns["prediction_1_m"][row]
    return metres(float(text) if text else math.nan)


def _records(split: SplitIndex, keys: Sequence[str]) -> dict[str, int]:
    """Returns the records of some keys; one pass over the keys of the split."""
    wanted = np.array(sorted({key.encode() for key in keys}))
    all_keys = np.asarray(split.keys)
    rows = np.flatnonzero(np.isin(all_keys, wanted))
    return {all_keys[row].decode(errors="replace"): int(row) for row in rows}
