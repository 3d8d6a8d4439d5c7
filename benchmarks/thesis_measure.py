"""Accuracy of the class, position and bearing of heads on any split."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.methods_measure import Method
from benchmarks.thesis_plan import Entry
from vpr_tf.classification.own_classes import own_classes
from vpr_tf.data.partition import Partition
from vpr_tf.geo import Positions, distances_m, heading_differences_deg
from vpr_tf.report import json_ready
from vpr_tf.tables import Column, Table

TRAIN = "train"


@dataclass(frozen=True)
class Line:
    """One head on one split.

    Attributes:
        label: Of the head.
        split: Name of the split.
        run: Folder of the run.
        num_photos: Of known position.
        num_classes: Of the partition.
        accuracy: Percent whose place and bearing are in their own class.
        within: Percent within the threshold.
        error_m: Median error of the position.
        bearing_deg: Median error of the bearing, 0 to 180.
        val_loss: The lowest of all epochs, on the val queries in trained classes.
        grid: See `Entry`.
    """

    label: str
    split: str
    run: str
    num_photos: int
    num_classes: int
    accuracy: float
    within: float
    error_m: float
    bearing_deg: float
    val_loss: float
    grid: int | None


def measure_head(
    entry: Entry,
    method: Method,
    descriptors: MutableMapping[tuple[str, str], np.ndarray],
) -> list[Line]:
    """Measures a head on the train split and on the queries of its set.

    Args:
        entry: What it is.
        method: Its run, opened.
        descriptors: Of encoders and splits, filled: heads on the same encoder need
            them described once.
    """
    config, dataset = method.experiment.config, method.opened.dataset
    partition = dataset.partition(config.partition_name)
    heads, lines = method.heads(), []
    for name in (TRAIN, method.evaluation_set.queries):
        key = method.fingerprint, name
        if key not in descriptors:
            descriptors[key] = np.asarray(method.opened.descriptors(name))
        split = dataset.split(name)
        known = np.flatnonzero(split.positions().known)
        found = heads.predict(descriptors[key][known], 1)
        rows = found.rows[:, 0]
        lines.append(
            _line(
                entry,
                method,
                name,
                partition,
                split.positions().take(known),
                np.asarray(split.column("heading_deg"), np.float64)[known],
                found.places.take(rows),
                np.asarray(found.heading_deg, np.float64)[rows],
            )
        )
    return lines


def _line(
    entry: Entry,
    method: Method,
    split: str,
    partition: Partition,
    true: Positions,
    true_deg: np.ndarray,
    places: Positions,
    heading_deg: np.ndarray,
) -> Line:
    apart_m = distances_m(true, places, np.arange(len(places))[:, None])[:, 0]
    turn_deg = heading_differences_deg(true_deg, heading_deg)
    threshold_m = method.opened.config.positive_dist_threshold_m
    return Line(
        entry.label,
        split,
        str(method.run),
        len(true),
        len(partition.classes),
        class_accuracy(partition, (true, true_deg), (places, heading_deg)),
        100 * float(np.mean(apart_m <= threshold_m)),
        float(np.median(apart_m)),
        float(np.nanmedian(turn_deg)) if np.isfinite(turn_deg).any() else math.nan,
        _lowest_val_loss(method.run),
        entry.grid,
    )


def class_accuracy(
    partition: Partition,
    true: tuple[Positions, np.ndarray],
    predicted: tuple[Positions, np.ndarray],
) -> float:
    """Returns the percent of photos of which the very class is predicted.

    A photo in no class, as where nothing was trained, is wrong.

    Args:
        partition: The classes.
        true: Positions and headings of the photos.
        predicted: Those that were predicted for them.
    """
    own, found = own_classes(partition, *true), own_classes(partition, *predicted)
    return 100 * float(np.mean(((own == found) & (own >= 0)).any(axis=1)))


def _lowest_val_loss(run: Path) -> float:
    epochs = json.loads((run / "metrics.json").read_text())["epochs"]
    losses = [epoch.get("val_loss") for epoch in epochs]
    return min((loss for loss in losses if loss is not None), default=math.nan)


def thesis_table(lines: Sequence[Line]) -> str:
    """Returns a markdown table, one line a head and split."""
    columns = [Column("head", "text"), Column("split", "text"), Column("photos")]
    columns += [Column("classes"), Column("accuracy"), Column("within 25 m")]
    columns += [Column("median m", digits=0), Column("median bearing", digits=0)]
    columns += [Column("lowest val loss", digits=2)]
    rows = [
        [
            *(line.label, line.split, f"{line.num_photos:,}", f"{line.num_classes:,}"),
            *(line.accuracy, line.within, line.error_m, line.bearing_deg),
            line.val_loss,
        ]
        for line in lines
    ]
    return Table("", columns, rows).to_markdown()


def write_thesis(
    folder: Path, lines: Sequence[Line], method: Method, left_out: Sequence[str]
) -> str:
    """Writes thesis.md and results.json, and returns the table.

    Args:
        folder: Existing or new folder.
        lines: What was measured.
        method: One of the heads, for the dataset.
        left_out: Why heads have no line.
    """
    folder.mkdir(parents=True, exist_ok=True)
    text = thesis_table(lines)
    text += "".join(f"\n\nNo line for {reason}" for reason in left_out)
    (folder / "thesis.md").write_text(text + "\n")
    content = {
        "dataset": method.experiment.config.dataset.path,
        "dataset_fingerprint": method.opened.dataset.fingerprint,
        "heads": [dataclasses.asdict(line) for line in lines],
        "left_out": list(left_out),
    }
    (folder / "results.json").write_text(
        json.dumps(json_ready(content), indent=2) + "\n"
    )
    return text
