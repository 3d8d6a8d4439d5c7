"""What is known of every query: per_query.csv.

Columns, in this order; a cell is empty where its value is unknown:

- `key`, `latitude_deg`, `longitude_deg`, `utm_east_m`, `utm_north_m`, `utm_zone`,
  `heading_deg`, `timestamp`: the query and where it was taken.
- `num_positives`: database images within the main threshold.
- `predicted_latitude_deg`, `predicted_longitude_deg`, `error_m`: the localization
  by the method of the config; `expected_error_m`, `confidence`; `answered`: whether it
  is given, not withheld.
- `cluster_error_m`, `best_match_error_m`: errors of both methods; `spread_m` instead
  where heads localize: how far the best places of their groups lie from each other.
- `inliers`, where queries are re-ranked: key points shared with the first match.
- `prediction_1` to `prediction_3` with `prediction_1_m` (distance to the query),
  `prediction_1_similarity` and so on, and `prediction_1_turn_deg`. Predictions
  of heads are places, `latitude,longitude`, with `prediction_1_score`; and
  `nearest_place_m`, the distance to the nearest place that they know.
- `hit_rank_25m` and so on: rank of the first positive at each threshold; 0 when no
  prediction is one.
- `mean_luma`, `year_gap`, `heading_gap_deg`, `nearest_database_m`,
  `class_num_images`: see `QueryAttributes`.
- `is_suspect`: whether the stated position may be wrong, see `suspect_labels`.
- `set_name`, `protocol`, `dataset_fingerprint`, `encoder_fingerprint`,
  `preprocessing`, `search`: the same in every row, so that no row loses where it is
  from.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vpr_tf.atomic_files import replace_file
from vpr_tf.csv_files import cell_name, csv_writer, name_cell
from vpr_tf.geo import heading_differences_deg, nearest_m
from vpr_tf.photos import PhotoTable
from vpr_tf.report.recalls import UNKNOWN, HitRanks
from vpr_tf.report.report import Identity

if TYPE_CHECKING:  # a report is read without TensorFlow
    from vpr_tf.evaluation.results import EvaluationResult

NUM_PREDICTIONS = 3  # listed with their distances


def query_columns(queries: PhotoTable) -> dict[str, np.ndarray]:
    """Returns the columns that tell where and when queries were taken."""
    positions = queries.positions
    known = positions.known
    heading = queries.heading_deg.astype(np.float64)
    return {
        "key": queries.keys,
        "latitude_deg": np.where(known, positions.latitude_deg, np.nan),
        "longitude_deg": np.where(known, positions.longitude_deg, np.nan),
        "utm_east_m": np.where(known, positions.utm_east_cm / 100, np.nan),
        "utm_north_m": np.where(known, positions.utm_north_cm / 100, np.nan),
        "utm_zone": np.where(known, positions.utm_zone, np.nan),
        "heading_deg": np.where(heading < 0, np.nan, heading),
        "timestamp": queries.timestamps,
    }


def prediction_columns(
    result: EvaluationResult, queries: PhotoTable, database: PhotoTable
) -> dict[str, np.ndarray]:
    """Returns the columns of the first predictions."""
    columns: dict[str, np.ndarray] = {}
    value = "similarity" if result.scores is None else "score"
    values = result.scores
    if values is None:
        values = 1 - result.descriptor_distances.astype(np.float64) / 2
    for rank in range(min(NUM_PREDICTIONS, result.predictions.shape[1])):
        missing = result.predictions[:, rank] < 0
        name = f"prediction_{rank + 1}"
        columns[name] = np.where(missing, b"", result.predicted_keys[:, rank])
        columns[f"{name}_m"] = result.distances_m[:, rank]
        columns[f"{name}_{value}"] = np.where(missing, np.nan, values[:, rank])
    if result.places is not None:
        distances = nearest_m(queries.positions, result.places)
        return {**columns, "nearest_place_m": distances}
    first = result.predictions[:, 0]
    turn = heading_differences_deg(queries.heading_deg, database.heading_deg[first])
    columns["prediction_1_turn_deg"] = np.where(first < 0, np.nan, turn)
    return columns


def rank_columns(hits: HitRanks) -> dict[str, np.ndarray]:
    """Returns the columns of the ranks of the first positives."""
    return {
        hit_rank_column(threshold_m): np.where(ranks == UNKNOWN, np.nan, ranks)
        for threshold_m, ranks in zip(hits.thresholds_m, hits.ranks, strict=True)
    }


def identity_columns(identity: Identity) -> dict[str, np.ndarray]:
    """Returns the columns that are the same in every row."""
    names = (
        "set_name",
        "protocol",
        "dataset_fingerprint",
        "encoder_fingerprint",
        "preprocessing",
        "search",
    )
    texts = [getattr(identity, name) for name in names]
    return {
        name: np.full(identity.num_queries, text[:12] if "print" in name else text)
        for name, text in zip(names, texts, strict=True)
    }


def hit_rank_column(threshold_m: float) -> str:
    """Returns the name of the column of a threshold."""
    return f"hit_rank_{threshold_m:g}m"


def write_per_query(columns: Mapping[str, np.ndarray], path: Path) -> None:
    """Writes per_query.csv at once; see this module for the columns."""
    texts = [
        [_text(name, value) for value in column.tolist()]
        for name, column in columns.items()
    ]
    with (
        replace_file(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv_writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*texts, strict=True))


def _text(name: str, value: Any) -> str:
    if isinstance(value, bytes):
        return name_cell(value.decode(errors="replace"))
    if isinstance(value, str | bool):
        return str(value).lower() if isinstance(value, bool) else name_cell(value)
    if value != value:  # NaN
        return ""
    if name.endswith(("latitude_deg", "longitude_deg")):
        return f"{value:.7f}"
    return f"{value:.2f}" if name.endswith("_m") else f"{value:.6g}"


def read_per_query(path: Path) -> dict[str, list[str]]:
    """Reads the columns of per_query.csv as text.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is no table, or names a column twice.
    """
    with path.open(newline="", encoding="utf-8") as file:
        header, *rows = list(csv.reader(file)) or [[]]
    if len(set(header)) != len(header):
        raise ValueError(f"{path.name} names a column twice")
    if any(len(row) != len(header) for row in rows):
        raise ValueError(f"{path.name} has lines of other lengths than its first")
    return {name: [cell_name(row[i]) for row in rows] for i, name in enumerate(header)}
