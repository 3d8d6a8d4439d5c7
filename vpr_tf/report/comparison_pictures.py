"""Pictures of the queries that one of two runs finds and the other does not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vpr_tf.config import ConfigError, load_config
from vpr_tf.data.prepared_dataset import DatasetError, PreparedDataset, SplitIndex
from vpr_tf.report.comparison import ChangedQuery, Comparison
from vpr_tf.report.pictures import Shot, take_shot
from vpr_tf.report.stored_report import StoredReport
from vpr_tf.tables import metres


@dataclass(frozen=True)
class ChangedPictures:
    """A changed query with the first prediction of both runs.

    Attributes:
        changed: What changed.
        query: Its photo.
        predictions: Of the first and the second run.
    """

    changed: ChangedQuery
    query: Shot
    predictions: list[Shot]


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


def changed_pictures(
    comparison: Comparison,
    reports: Sequence[StoredReport],
    dataset: PreparedDataset,
    most: int,
) -> list[ChangedPictures] | None:
    """Returns each changed query with the first prediction of both runs.

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
    splits = [dataset.split(name) for name in (chosen.queries, chosen.database)]
    rows_of = {key: row for row, key in enumerate(reports[0].keys)}
    shown = [
        query
        for change in ("lost", "gained")
        for query in [each for each in comparison.changed if each.change == change][
            :most
        ]
    ]
    keys = [
        [report.columns["prediction_1"][rows_of[query.key]] for report in reports]
        for query in shown
    ]
    records = _records(splits[1], [key for pair in keys for key in pair])
    return [
        ChangedPictures(
            query,
            take_shot(splits[0], rows_of[query.key]),
            [
                take_shot(
                    splits[1],
                    records.get(key, -1),
                    _distance(report, rows_of[query.key]),
                    is_positive=(query.change == "gained") == is_second,
                )
                for key, report, is_second in zip(
                    pair, reports, (False, True), strict=True
                )
            ],
        )
        for query, pair in zip(shown, keys, strict=True)
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
