"""Configs, datasets, indexes and reports: valid ones with changes; what must hold."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import math
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from benchmarks.hostile.arrays import npy_bytes
from benchmarks.hostile.inputs import Files
from benchmarks.hostile.mutations import (
    json_text,
    mutated_bytes,
    mutated_json,
    mutated_value,
)
from vpr_tf.config import (
    ExperimentConfig,
    LocalizationConfig,
    Preprocessing,
    as_dict,
    config_from_values,
    load_config,
    save_config,
)
from vpr_tf.data.prepared_dataset import INDEX_COLUMNS, PreparedDataset
from vpr_tf.localization.calibration import Calibration, to_stored
from vpr_tf.localization.features import calibrated_settings
from vpr_tf.place_index.manifest import (
    EncoderIdentity,
    IndexManifest,
    RecallReport,
    Segment,
    parse_manifest,
    write_manifest,
)
from vpr_tf.report.stored_report import read_report
from vpr_tf.search.saved_index import load_saved_index, save_index
from vpr_tf.search.search_index import ExactIndex
from vpr_tf.stored_files import StoredFile

_MANIFEST = "manifest.json"


def not_finite(value: Any, path: str = "") -> Iterator[str]:
    """Yields where nested values hold NaN or infinity."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = dataclasses.asdict(value)
    if isinstance(value, dict):
        for name, one in value.items():
            yield from not_finite(one, f"{path}.{name}")
    elif isinstance(value, list | tuple):
        for one in value:
            yield from not_finite(one, path)
    elif isinstance(value, float) and not math.isfinite(value):
        yield f"{path} is not finite"


# === Configs ===


@functools.cache
def _config_values() -> tuple[dict[str, Any], ...]:
    whole = as_dict(config_from_values({"name": "fuzz", "dataset": {"path": "none"}}))
    short = {
        "name": "fuzz",
        "dataset": {"path": "none"},
        "build": {
            "source": "photos",
            "tests": {"t": {"database": "a", "queries": "b"}},
        },
        "train": {"batch_size": 8, "head": {"kind": "cosine", "margin": 0.4}},
        "encoder": {"aggregation": {"name": "gem"}},
    }
    return whole, short


def make_config(rng: random.Random) -> Files:
    """Returns a YAML file."""
    values = rng.choice(_config_values())
    if rng.random() < 0.3:
        return {"config.yaml": mutated_json(rng, values)}
    if rng.random() < 0.7:
        values = mutated_value(rng, values)
    try:
        dumped = yaml.safe_dump(values, allow_unicode=True)
    except RecursionError:
        return {"config.yaml": json_text(values)}
    text = dumped.encode("utf-8", "surrogatepass")
    return {"config.yaml": mutated_bytes(rng, text) if rng.random() < 0.5 else text}


def read_config(folder: Path) -> list[str]:
    """Reads a config, writes it and reads it again; returns what must not be."""
    config = load_config(folder / "config.yaml")
    problems = list(not_finite(config))
    if not isinstance(config, ExperimentConfig):
        problems.append(type(config).__name__)
    save_config(config, folder / "again.yaml")
    if load_config(folder / "again.yaml") != config:
        problems.append("it is another one when it was written and read again")
    return problems


# === Datasets ===


def make_dataset(rng: random.Random) -> Files:
    """Returns the manifest of a dataset."""
    names = ["train", "val-database", "val-queries", "t-database", "t-queries"]
    manifest = {
        "format_version": 1,
        "dataset_fingerprint": "0" * 64,
        "splits": {
            name: {
                "source": name,
                "num_records": 2,
                "shards": [{"file": f"{name}-00000-of-00001.tfrecord", "records": 2}],
            }
            for name in names
        },
        "val": {"database": "val-database", "queries": "val-queries"},
        "tests": {"t": {"database": "t-database", "queries": "t-queries"}},
        "added_tests": {"t": {"splits": ["t-database"], "fingerprint": "1" * 64}},
    }
    return {_MANIFEST: mutated_json(rng, manifest)}


def read_dataset(folder: Path) -> list[str]:
    """Opens a dataset and asks for all that its manifest says."""
    dataset, problems = PreparedDataset(folder), []
    names = dataset.split_names
    sets = [*dataset.tests.values(), *([dataset.val] if dataset.val else [])]
    for one in sets:
        if one.database not in names or one.queries not in names:
            problems.append(f"{one} has no such splits")
        if not isinstance(one.queries_have_positions, bool):
            problems.append(f"queries_have_positions {one.queries_have_positions!r}")
    for name in names:
        dataset.split_fingerprint(name)
        for path in dataset.split(name).shard_paths:
            if not Path(path).resolve().is_relative_to(folder.resolve()):
                problems.append(f"{path} is outside of the dataset")
    return problems


def make_columns(rng: random.Random) -> Files:
    """Returns a dataset of one split, and changes a column of its record index."""
    manifest = {
        "format_version": 1,
        "dataset_fingerprint": "0",
        "splits": {"train": {"shards": [{"file": "a.tfrecord"}]}},
        "tests": {},
    }
    columns: dict[str, np.ndarray] = {
        name: np.ones(4, "S8" if dtype == "|S" else dtype)
        for name, dtype in INDEX_COLUMNS.items()
    }
    changed = rng.choice(sorted(columns))
    if rng.random() < 0.4:
        columns[changed] = _other_array(rng, columns[changed])
    files = {name: npy_bytes(values) for name, values in columns.items()}
    if rng.random() < 0.7:
        files[changed] = mutated_bytes(rng, files[changed])
    return {_MANIFEST: json_text(manifest)} | {
        f"train.index/{name}.npy": data for name, data in files.items()
    }


def _other_array(rng: random.Random, values: np.ndarray) -> np.ndarray:
    dtype = rng.choice(("<f8", "<f4", ">i8", "<i2", "|S3", "<U3", "?", "<c16", "|V4"))
    if rng.random() < 0.5:
        return np.zeros(len(values), dtype)
    shape = rng.choice(((), (0,), (3,), (4, 1), (4, 2), (5,)))
    return np.zeros(shape, values.dtype)


def read_columns(folder: Path) -> list[str]:
    """Reads the record index of a dataset; returns what must not be."""
    split = PreparedDataset(folder).split("train")
    positions, photos = split.positions(), split.photo_table()
    lengths = {len(split), len(positions), len(photos), len(split.utm_m)}
    problems = [] if len(lengths) == 1 else [f"lengths {lengths}"]
    for name, dtype in INDEX_COLUMNS.items():
        values = split.column(name)
        kinds = {"i": "iu", "u": "iu", "f": "iuf", "S": "S"}[np.dtype(dtype).kind]
        if values.dtype.kind not in kinds or values.shape != (len(split),):
            problems.append(f"{name} is {values.dtype} of shape {values.shape}")
    return problems


# === Indexes ===


def calibration(encoder_fingerprint: str = "f" * 64) -> Calibration:
    """Returns a calibration of retrieval."""
    return Calibration(
        "isotonic",
        calibrated_settings(LocalizationConfig()),
        encoder_fingerprint,
        "val",
        "0" * 64,
        10,
        8,
        25.0,
        {"similarity": 1.0, "gap": 2.0, "share": 0.5},
        [0.0, 1.0, 2.0],
        [-1.0, 0.0, 2.0],
        [0.0, 2.0],
        [100.0, 10.0],
        0.9,
        1,
        0.95,
        0.5,
        0.96,
        0.7,
    )


@functools.cache
def _index_content() -> dict[str, Any]:
    file = StoredFile(128, 1, "0" * 64)
    manifest = IndexManifest(
        "exact",
        {"a": 1},
        8,
        "float32",
        EncoderIdentity(
            "f" * 64, "ResNet18", 8, Preprocessing(), "encoder/encoder.keras"
        ),
        {"encoder/encoder.keras": file},
        (Segment("segments/00000001", 4, "exact", {}, {"descriptors.npy": file}),),
        "removed-00000002.npy",
        file,
        3,
        1,
        2,
        RecallReport(1.0, 1.0, 0),
        to_stored(LocalizationConfig(), calibration()),
    )
    with tempfile.TemporaryDirectory() as folder:
        write_manifest(Path(folder), manifest)
        content: dict[str, Any] = json.loads((Path(folder) / _MANIFEST).read_text())
    return content


def make_index(rng: random.Random) -> Files:
    """Returns the manifest of an index; its checksum is mostly made to fit."""
    content = dict(_index_content())
    if rng.random() < 0.2:
        return {_MANIFEST: mutated_json(rng, content)}
    content.pop("sha256")
    changed = mutated_value(rng, content)
    try:
        changed = json.loads(json_text(changed))
        text = json.dumps(
            changed, sort_keys=True, separators=(",", ":"), allow_nan=False
        )
        changed["sha256"] = hashlib.sha256(text.encode()).hexdigest()
    except (ValueError, TypeError):
        pass
    return {_MANIFEST: json_text(changed)}


def read_index(folder: Path) -> list[str]:
    """Reads the manifest of an index; returns what must not be."""
    path = folder / _MANIFEST
    manifest = parse_manifest(path.read_bytes(), path)
    _, found = manifest.localization_settings
    problems = list(not_finite(manifest))
    if found is not None:
        votes = np.array([found.min_votes])
        values = found.apply(np.array([[0.5, 0.1, 0.5]]), votes)
        problems += [] if np.isfinite(values).all() else [f"it gives {values}"]
        found.summary()
    for name, file in manifest.files().items():
        if not (folder / name).resolve().is_relative_to(folder.resolve()):
            problems.append(f"{name} is outside of the index")
        if file.num_bytes < 0:
            problems.append(f"{name} has {file.num_bytes} bytes")
    counts = manifest.num_rows, manifest.num_photos, manifest.num_removed
    if min(counts) < 0 or not manifest.unmerged_share >= 0:
        problems.append(f"counts {counts}")
    _ = manifest.advice, manifest.num_bytes, manifest.encoder_description
    return problems


# === Search structures ===

_DESCRIPTORS = np.eye(3, dtype=np.float32)


@functools.cache
def _search_files() -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as name:
        folder = save_index(ExactIndex.build(_DESCRIPTORS), Path(name) / "a", "0")
        return {path.name: path.read_bytes() for path in folder.iterdir()}


def make_search(rng: random.Random) -> Files:
    """Returns a saved search structure; the checksums are made to fit at times."""
    files = dict(_search_files())
    content = json.loads(files["index.json"])
    (norms,) = content["files"]
    if rng.random() < 0.4:
        files[norms] = mutated_bytes(rng, files[norms])
        if rng.random() < 0.7:
            content["files"][norms] = hashlib.sha256(files[norms]).hexdigest()
    text = mutated_json(rng, content) if rng.random() < 0.7 else json_text(content)
    return files | {"index.json": text}


def read_search(folder: Path) -> list[str]:
    """Opens a search structure and searches; returns what must not be."""
    index = load_saved_index(folder, _DESCRIPTORS, "0")
    distances, rows = index.search(_DESCRIPTORS, 2)
    possible = ((rows >= -1) & (rows < 3)).all() and distances.shape == (3, 2)
    return [] if possible else [f"it finds {rows.tolist()} at {distances.tolist()}"]


# === Reports ===


def make_report(rng: random.Random) -> Files:
    """Returns metrics.json and per_query.csv of a stored report."""
    metrics = {
        "format_version": 1,
        "identity": {
            "set_name": "t",
            "dataset_fingerprint": "0" * 64,
            "encoder_fingerprint": "f" * 64,
            "encoder": "ResNet18",
            "preprocessing": "square 224, float32",
            "search": "exact",
            "num_queries": 2,
            "num_database": 10,
            "method": "retrieval",
        },
        "bootstrap": {"num_resamples": 100, "level": 0.95, "seed": 0},
        "positive_dist_threshold_m": 25.0,
        "recalls": {"thresholds_m": [5.0, 25.0], "recall_values": [1, 5]},
    }
    header = "key,latitude_deg,error_m,prediction_1_m,hit_rank_5m,hit_rank_25m"
    rows = [header, "a.jpg,37.5,3.5,3.25,1,1", "é.jpg,37.5,,,,"]
    table, text = "\r\n".join(rows).encode(), json_text(metrics)
    if rng.random() < 0.6:
        text = mutated_json(rng, metrics)
    else:
        table = mutated_bytes(rng, table)
    return {"metrics.json": text, "per_query.csv": table}


def read_report_folder(folder: Path) -> list[str]:
    """Reads a stored report; returns what must not be."""
    report = read_report(folder)
    numbers = [report.threshold_m, *report.thresholds_m, report.bootstrap.level]
    problems = list(not_finite(numbers)) + list(not_finite(report.bootstrap))
    problems += [] if min(numbers) > 0 else [f"thresholds {numbers}"]
    problems += [] if min(report.recall_values) > 0 else ["recall values below 1"]
    if not isinstance(report.bootstrap.seed, int) or report.bootstrap.num_resamples < 1:
        problems.append(f"{report.bootstrap}")
    identity = report.identity
    _ = identity.symbol, identity.known, report.known
    for name, kind in (("encoder", str), ("num_database", int), ("method", str)):
        if not isinstance(getattr(identity, name), kind):
            problems.append(f"{name} is {getattr(identity, name)!r}")
    for threshold in (report.threshold_m, *report.thresholds_m):
        ranks = report.hit_ranks(threshold)
        if np.isinf(ranks).any() or (ranks < 0).any():
            problems.append(f"ranks {ranks}")
    if np.isinf(report.error_m).any() or (report.error_m < 0).any():
        problems.append(f"errors {report.error_m}")
    return problems
