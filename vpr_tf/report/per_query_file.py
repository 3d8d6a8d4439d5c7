"""What is known of every query: per_query.csv.

Columns, in this order; a cell is empty where its value is unknown:

- `key`, `latitude_deg`, `longitude_deg`, `utm_east_m`, `utm_north_m`, `utm_zone`,
  `heading_deg`, `timestamp`: the query and where it was taken.
- `num_positives`: database images within the main threshold.
- `predicted_latitude_deg`, `predicted_longitude_deg`, `error_m`: the answer of the
  method of the config; `expected_error_m`, `confidence`, `answered`: what it promises.
- `cluster_error_m`, `best_match_error_m`: errors of both methods; `spread_m` instead
  where heads answer: how far the best places of their groups lie from each other.
- `prediction_1` to `prediction_3` with `prediction_1_m` (distance to the query),
  `prediction_1_similarity` and so on, and `prediction_1_turn_deg`. Where heads answer,
  predictions are places, `latitude,longitude`, with `prediction_1_score`; and
  `nearest_place_m`, the distance to the nearest place that they know.
- `hit_rank_25m` and so on: rank of the first positive at each threshold; 0 when no
  prediction is one.
- `mean_luma`, `year_gap`, `heading_gap_deg`, `nearest_database_m`,
  `class_num_images`: see `QueryAttributes`.
- `set_name`, `dataset_fingerprint`, `encoder_fingerprint`, `preprocessing`, `search`:
  the same in every row, so that no row loses where it is from.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from vpr_tf.atomic_files import replace_file


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
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*texts, strict=True))


def _text(name: str, value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, str | bool):
        return str(value).lower() if isinstance(value, bool) else value
    if value != value:  # NaN
        return ""
    if name.endswith(("latitude_deg", "longitude_deg")):
        return f"{value:.7f}"
    return f"{value:.2f}" if name.endswith("_m") else f"{value:.6g}"


def read_per_query(path: Path) -> dict[str, list[str]]:
    """Reads the columns of per_query.csv as text.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open(newline="", encoding="utf-8") as file:
        header, *rows = list(csv.reader(file)) or [[]]
    return {name: [row[i] for row in rows] for i, name in enumerate(header)}
