"""Links and paths that lead out of a received folder, in every place of every kind."""

from __future__ import annotations

import functools
import json
import random
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks.hostile.arrays import npy_bytes
from benchmarks.hostile.index_folders import (
    MANIFEST,
    index_files,
    read_index_folder,
    with_checksums,
)
from benchmarks.hostile.inputs import Content, Files, Link, Pipe
from benchmarks.hostile.mutations import json_text
from benchmarks.hostile.stored import make_report, make_search, read_search
from benchmarks.hostile.watch import ABSOLUTE_OUTSIDE, OUTSIDE
from benchmarks.hostile.weights import heads_files, read_calibration, read_heads
from vpr_tf.config import config_from_values, config_yaml
from vpr_tf.data.prepared_dataset import INDEX_COLUMNS, PreparedDataset
from vpr_tf.data.record_reading import first_damaged_record
from vpr_tf.data.records import masked_crc32c
from vpr_tf.data.verification import verify_split
from vpr_tf.extraction.descriptor_file import DescriptorFile
from vpr_tf.report.stored_report import find_reports
from vpr_tf.training.resume import check_same_data, find_run
from vpr_tf.training.run_records import LossesFile, MetricsFile, RunRecords

_KIND_FILE = "../kind"
_NUM_RECORDS = 4
_SOURCE = {"encoder": "a"}


def make_links(rng: random.Random) -> Files:
    """Returns a folder of any kind, and beside it one that it leads into."""
    kind = rng.choice(sorted(_FOLDERS))
    whole = _FOLDERS[kind].files()
    files: dict[str, Content] = dict(whole)
    if rng.random() < 0.7:
        _put_link(rng, files)
    else:
        files = dict(_with_other_paths(rng, kind, files))
    outside = {f"../{OUTSIDE}/{name}": data for name, data in whole.items()}
    return {**files, **outside, _KIND_FILE: kind.encode()}


def read_links(folder: Path) -> list[str]:
    """Reads a folder as its kind is read, and changes it where that is done.

    It may be accepted if nothing outside was touched, which the watch sees.
    """
    kind = (folder / _KIND_FILE).read_text()
    return _FOLDERS[kind].read(folder)


def _put_link(rng: random.Random, files: dict[str, Content]) -> None:
    """Puts a link or a pipe in the place of a file, a folder, or beside them."""
    names = sorted(files)
    parents = {str(parent) for name in names for parent in Path(name).parents}
    places = [*names, *sorted(parents - {"."}), *_ADDED]
    place = rng.choice(places)
    up = "../" * (1 + place.count("/"))
    targets = [f"{up}{OUTSIDE}/{place}", f"{ABSOLUTE_OUTSIDE}/{place}"]
    targets += [f"{up}{OUTSIDE}", f"{up}{OUTSIDE}/made", Path(place).name, "/dev/zero"]
    for name in names:
        if name == place or name.startswith(f"{place}/"):
            del files[name]
    is_pipe = rng.random() < 0.1
    files[place] = Pipe() if is_pipe else Link(rng.choice(targets))


# What is made on the way, so that a link could wait there for it.
_ADDED = (
    *(".lock", "segments/00000005", "segments", "partitions", "report", "signature"),
    *("manifest.json.unfinished", "losses.csv", "checkpoints", "best", "train.log"),
)


def _with_other_paths(rng: random.Random, kind: str, files: Files) -> Files:
    """Returns a folder whose files name paths that lead out of it."""
    texts = [name for name in files if name.endswith((".json", ".yaml"))]
    named = [name for name in texts if name.endswith(".json")]
    if not named:
        return files
    name = rng.choice(named)
    data = files[name]
    content = json.loads(data if isinstance(data, bytes) else b"{}")
    places = list(_texts(content))
    if not places:
        return files
    container, key = rng.choice(places)
    found = container[key] if isinstance(container[key], str) else key
    path = rng.choice(
        (
            f"../{OUTSIDE}/{found}",
            f"{ABSOLUTE_OUTSIDE}/{found}",
            f"../../../{OUTSIDE}/{found}",
            *("..", ".", "", "/", "a/../..", f"./{found}", f"{found}/", "\0"),
        )
    )
    if isinstance(container[key], str) and rng.random() < 0.7:
        container[key] = path
    elif isinstance(container, dict):
        container[path] = container.pop(key)
    if kind == "index":
        return with_checksums(files, content)
    return {**files, name: json_text(content)}


def _texts(value: Any) -> Any:
    """Yields the places of texts, and of names of fields."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in list(items):
        if isinstance(inner, str) or isinstance(key, str):
            yield value, key
        if isinstance(inner, dict | list):
            yield from _texts(inner)


# === Kinds of folders ===


@functools.cache
def _dataset_files() -> dict[str, bytes]:
    photo = tf.io.encode_jpeg(np.zeros((8, 8, 3), np.uint8)).numpy()
    feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[photo]))
    orientation = tf.train.Feature(int64_list=tf.train.Int64List(value=[1]))
    features = {"image": feature, "exif_orientation": orientation}
    record = tf.train.Example(
        features=tf.train.Features(feature=features)
    ).SerializeToString()
    head = struct.pack("<Q", len(record))
    frame = head + struct.pack("<I", masked_crc32c(head))
    frame += record + struct.pack("<I", masked_crc32c(record))
    columns: dict[str, np.ndarray] = {
        name: np.zeros(_NUM_RECORDS, "S8" if dtype == "|S" else dtype)
        for name, dtype in INDEX_COLUMNS.items()
    }
    columns["byte_offset"] += len(frame) * np.arange(_NUM_RECORDS)
    columns["length"] += len(record)
    columns["height"] += 8
    columns["width"] += 8
    columns["key"] = np.array([b"%d.jpg" % n for n in range(_NUM_RECORDS)], "S8")
    manifest = {
        "format_version": 1,
        "dataset_fingerprint": "0",
        "splits": {"train": {"shards": [{"file": "train-00000-of-00001.tfrecord"}]}},
        "tests": {"t": {"database": "train", "queries": "train"}},
    }
    ids = np.arange(_NUM_RECORDS)
    partition = {
        "partition.json": json_text({"parameters": {"name": "p"}}),
        "record_ids.npy": npy_bytes(ids),
        "class_offsets.npy": npy_bytes(np.array([0, _NUM_RECORDS])),
        "classes.npy": npy_bytes(ids),
    }
    return {
        MANIFEST: json_text(manifest),
        "train-00000-of-00001.tfrecord": frame * _NUM_RECORDS,
        **{f"train.index/{name}.npy": npy_bytes(v) for name, v in columns.items()},
        **{f"partitions/p/{name}": data for name, data in partition.items()},
    }


def _read_dataset(folder: Path) -> list[str]:
    dataset = PreparedDataset(folder)
    for name in dataset.split_names:
        split = dataset.split(name)
        split.photo_table()
        list(verify_split(dataset, name))
        first_damaged_record(split, range(len(split)))
    for name in dataset.partition_names:
        dataset.partition(name)
    return []


@functools.cache
def _run_files() -> dict[str, bytes]:
    metrics = {"run": {"dataset_fingerprint": "0"}, "epochs": [], "tests": {}}
    report = _bytes_of(make_report(random.Random(0)))
    return {
        "config.yaml": config_yaml(_config()).encode(),
        "metrics.json": json_text(metrics),
        "losses.csv": b"step,epoch,group,loss\n0,0,0,1.5\n",
        "train.log": b"",
        "checkpoints/checkpoint": b'model_checkpoint_path: "ckpt-1"\n',
        "checkpoints/ckpt-1.index": bytes(40),
        "best/info.json": b"{}",
        **{f"report/d/t/report/{name}": data for name, data in report.items()},
    }


def _bytes_of(files: Files) -> dict[str, bytes]:
    return {name: data for name, data in files.items() if isinstance(data, bytes)}


def _config() -> Any:
    return config_from_values({"name": "links", "dataset": {"path": "none"}})


def _read_run(folder: Path) -> list[str]:
    run = find_run(_config(), folder)
    check_same_data(run, {"dataset_fingerprint": "0"})
    RunRecords.read(run)
    MetricsFile(run.metrics_file).set_run({})
    LossesFile(run.losses_file, 1).close()
    find_reports(folder)
    return []


@functools.cache
def _descriptor_files() -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "descriptors"
        DescriptorFile(folder, _SOURCE, 4, 2).commit()
        return {path.name: path.read_bytes() for path in folder.iterdir()}


def _read_descriptors(folder: Path) -> list[str]:
    stored = DescriptorFile(folder, _SOURCE, 4, 2)
    stored.write(np.arange(2), np.ones((2, 2), np.float32))
    stored.commit()
    return []


def _search_files() -> dict[str, bytes]:
    return _bytes_of(make_search(random.Random(0)))


def _report_files() -> dict[str, bytes]:
    return {
        name.removeprefix("report/d/t/"): data
        for name, data in _run_files().items()
        if name.startswith("report/")
    }


def _read_report(folder: Path) -> list[str]:
    find_reports(folder)
    return []


def _read_heads(folder: Path) -> list[str]:
    return read_heads(folder) + read_calibration(folder)


class _Folder:
    """Files of a kind of folder, and how it is read."""

    def __init__(
        self,
        files: Callable[[], dict[str, bytes]],
        read: Callable[[Path], list[str]],
    ) -> None:
        self.files = files
        self.read = read


_FOLDERS = {
    "index": _Folder(index_files, read_index_folder),
    "dataset": _Folder(_dataset_files, _read_dataset),
    "run": _Folder(_run_files, _read_run),
    "report": _Folder(_report_files, _read_report),
    "search": _Folder(_search_files, read_search),
    "heads": _Folder(heads_files, _read_heads),
    "descriptors": _Folder(_descriptor_files, _read_descriptors),
}
