"""Configs with runs that are only files, and numbers that no one measured."""

import json
import math
from pathlib import Path

import numpy as np

from benchmarks.methods_measure import Measured
from benchmarks.methods_runs import Experiment
from vpr_tf.config import save_config

CONFIG = """
name: {name}
runs_dir: {folder}/runs
dataset: {{path: {folder}/dataset, partition: dc_m20_n2}}
build:
  partition:
    {{name: dc_m20_n2, method: divide_and_classify, cell_size_m: 20, cell_stride: 2}}
train:
  groups_num: 4
  epochs: 16
  iterations_per_epoch: 117
  validate_every_epochs: 4
  head: {{name: angular_margin, scale: 100.0, margin: 0.2}}
evaluation: {{method: classification}}
"""


def write_experiment(folder: Path, name: str = "dc", *overrides: str) -> Experiment:
    """Writes a config, and a dataset without images if there is none."""
    write_manifest(folder, "first")
    path = folder / f"{name}.yaml"
    path.write_text(CONFIG.format(name=name, folder=folder))
    return Experiment.load(path, overrides)


def write_manifest(folder: Path, fingerprint: str) -> None:
    """Writes a dataset without images."""
    (folder / "dataset" / "partitions").mkdir(parents=True, exist_ok=True)
    manifest = {"format_version": 1, "dataset_fingerprint": fingerprint}
    manifest |= {"splits": {}, "val": None, "tests": {}}
    (folder / "dataset" / "manifest.json").write_text(json.dumps(manifest))


def write_run(experiment: Experiment, time: str, finished: bool = True) -> Path:
    """Writes what a run leaves that is looked at."""
    run = experiment.runs / time
    run.mkdir(parents=True)
    save_config(experiment.config, run / "config.yaml")
    metrics = {"run": {"dataset_fingerprint": "first"}}
    if finished:
        metrics["savedmodel"] = "somewhere"
    (run / "metrics.json").write_text(json.dumps(metrics))
    return run


def measured(label: str, kind: str, found: list[int], **fields) -> Measured:
    """Returns a line of the table; `found` is 1 where the first place is right."""
    values = {"extract_ms": 4.0, "classify_ms": math.nan, "search_ms": math.nan}
    values |= {"held_bytes": 1 << 20, "resident_bytes": 2.0 * (1 << 20), "run": "run"}
    share = 100 * sum(found) / len(found)
    recalls = {1: share, 5: min(100.0, share + 10)}
    return Measured(label, kind, recalls, np.array(found, bool), **values | fields)
