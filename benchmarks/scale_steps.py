"""The steps that `scale.py` measures: what `vpr` calls, on a simulated dataset.

Each returns what it found, for people. What a step needs is on the disk, written by
those before it.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.scale_dataset import FEW, MANY, TRAIN, SimulatedDataset
from data_prep.build import assign_train_classes
from data_prep.finish import write_descriptions, write_indexes
from data_prep.partition.assignment import add_partition
from data_prep.shards import ScannedSplit
from vpr_tf.classification import ClassTable
from vpr_tf.config import (
    CosPlaceConfig,
    DivideAndClassifyConfig,
    EigenPlacesConfig,
    EvaluationConfig,
    PartitionConfig,
    PlanetConfig,
    TrainConfig,
)
from vpr_tf.data import PreparedDataset
from vpr_tf.photos import PhotoSource
from vpr_tf.photos.coverage import measure_coverage
from vpr_tf.photos.file_kinds import SkippedFiles
from vpr_tf.photos.photo_folder import collect_chunks
from vpr_tf.stored_files import StoredFile

_K = 20
_BATCH_SIZE, _IMAGE_SIZE = 32, 224
# As the papers have them; the last is for its memory, not for its classes.
PARTITIONS: dict[str, PartitionConfig] = {
    "cosplace": CosPlaceConfig(),
    "divide_and_classify": DivideAndClassifyConfig(
        name="divide_and_classify", cell_size_m=20, cell_stride=2
    ),
    "planet": PlanetConfig(name="planet", max_images_per_class=1000),
    "eigenplaces": EigenPlacesConfig(name="eigenplaces"),
}


# === vpr data build ===


def list_photos(dataset: SimulatedDataset) -> str:
    """Lists the photos of a folder in the order of their names."""
    dataset.list_photos()
    return ""


def scan(dataset: SimulatedDataset) -> str:
    """Writes the metadata tables."""
    dataset.scan()
    return ""


def cosplace(dataset: SimulatedDataset) -> str:
    """Assigns the classes of the build's partition, and writes them and all ids."""
    train = next(split for split in dataset.splits() if split.plan.name == TRAIN)
    assign_train_classes(train, dataset.path, PARTITIONS["cosplace"])
    return ""


def index(dataset: SimulatedDataset) -> str:
    """Writes the record indexes."""
    splits = dataset.write_shards()
    write_indexes(dataset.path, splits)
    columns = {
        split.plan.name: {
            name: dataclasses.asdict(stored) for name, stored in split.columns.items()
        }
        for split in splits
    }
    (dataset.work / "columns.json").write_text(json.dumps(columns))
    size = sum(stored.num_bytes for stored in splits[0].columns.values())
    return f"{size / 2**30:.1f} GiB"


def manifest(dataset: SimulatedDataset) -> str:
    """Writes the metadata of TFDS and the manifest, and opens the dataset."""
    splits = _indexed(dataset)
    write_descriptions(dataset.config, dataset.plan, splits, "simulated")
    opened = PreparedDataset(dataset.path)
    return f"{len(opened.split(TRAIN).shard_paths):,} shards"


def _indexed(dataset: SimulatedDataset) -> list[ScannedSplit]:
    columns = json.loads((dataset.work / "columns.json").read_text())
    splits = dataset.write_shards()
    for split in splits:
        known = columns[split.plan.name].items()
        split.columns = {name: StoredFile(**stored) for name, stored in known}
    return splits


# === vpr data partition ===


def _added(name: str) -> Callable[[SimulatedDataset], str]:
    def add(dataset: SimulatedDataset) -> str:
        added = add_partition(dataset.path, PARTITIONS[name])
        if added is None:
            return "it was there"
        return f"{len(added.classes):,} classes, {added.num_images:,} photos"

    return add


# === Tables of photos ===


def scanned_photos(dataset: SimulatedDataset) -> str:
    """Puts what was scanned together, as `vpr photos` and `vpr index build` do."""
    source = PhotoSource(dataset.work / TRAIN)
    photos = collect_chunks(source, dataset.chunks(TRAIN), SkippedFiles())
    return f"{len(photos):,} photos"


def photo_table(dataset: SimulatedDataset) -> str:
    """Reads the table of photos of a split."""
    photos = PreparedDataset(dataset.path).split(TRAIN).photo_table()
    return f"{len(photos):,} photos"


def coverage(dataset: SimulatedDataset) -> str:
    """Measures coverage, and makes its GeoJSON."""
    photos = PreparedDataset(dataset.path).split(TRAIN).photo_table()
    found = measure_coverage(photos)
    text = json.dumps(found.geojson())
    return f"{len(found.count):,} cells, {len(text) / 2**20:.0f} MiB"


# === vpr train ===


def _sampler(name: str) -> Callable[[SimulatedDataset], str]:
    """Returns what starts to train on a group and reads its first batch."""

    def sample(dataset: SimulatedDataset) -> str:
        from vpr_tf.data.class_sampler import sampled_record_ids
        from vpr_tf.data.training_batches import training_batches
        from vpr_tf.training.run_writers import data_facts

        opened = PreparedDataset(dataset.path)
        partition = opened.partition(name)
        data_facts(opened, partition)
        config = TrainConfig(batch_size=_BATCH_SIZE, image_size=_IMAGE_SIZE)
        of_batch = sampled_record_ids(partition, 0, config, 0, 0, _BATCH_SIZE)
        dataset.write_records(of_batch)
        start = time.perf_counter()
        batches = training_batches(
            opened.split(TRAIN), partition, 0, config, 0, num_samples=_BATCH_SIZE
        )
        ready_s = time.perf_counter() - start
        images, _ = next(iter(batches))
        batch_s = time.perf_counter() - start - ready_s
        classes = partition.classes_of_group(0)
        first, last = partition.class_offsets[[classes.start, classes.stop]]
        return (
            f"group of {len(classes):,} classes, {last - first:,} photos; pipeline "
            f"{ready_s:.1f} s, first batch {tuple(images.shape)} {batch_s:.1f} s"
        )

    return sample


def _class_table(name: str) -> Callable[[SimulatedDataset], str]:
    def make(dataset: SimulatedDataset) -> str:
        opened = PreparedDataset(dataset.path)
        table = ClassTable.from_partition(opened.partition(name), opened.split(TRAIN))
        return f"{len(table):,} places in {table.num_cells:,} cells"

    return make


# === vpr evaluate ===


def _judged(queries: str) -> Callable[[SimulatedDataset], str]:
    """Returns what compares drawn predictions with the positives of each query."""

    def compare(dataset: SimulatedDataset) -> str:
        from vpr_tf.evaluation.judge import Predictions, judge

        opened = PreparedDataset(dataset.path)
        name = queries.removeprefix("test-").removesuffix("-queries")
        evaluation_set = opened.tests[name]
        count = len(opened.split(queries))
        rows = np.random.default_rng(0).integers(0, dataset.size.rows, (count, _K))
        found = Predictions.from_search(
            opened, TRAIN, rows, np.full(rows.shape, 0.5), is_exact=True
        )
        result = judge(found, opened, evaluation_set, EvaluationConfig())
        mean = result.num_positives.mean()
        return f"{count:,} queries, {mean:,.0f} positives each"

    return compare


# What loads TensorFlow, which is not part of a step.
IMPORTS = {
    "sampler_cosplace": "vpr_tf.training.run_writers",
    "sampler_divide_and_classify": "vpr_tf.training.run_writers",
    "judge_few": "vpr_tf.evaluation.judge",
    "judge_many": "vpr_tf.evaluation.judge",
}
STEPS: dict[str, Callable[[SimulatedDataset], Any]] = {
    "draw": SimulatedDataset.draw,
    "list": list_photos,
    "scan": scan,
    "cosplace": cosplace,
    "index": index,
    "manifest": manifest,
    "divide_and_classify": _added("divide_and_classify"),
    "planet": _added("planet"),
    "eigenplaces": _added("eigenplaces"),
    "scanned_photos": scanned_photos,
    "photo_table": photo_table,
    "coverage": coverage,
    "sampler_cosplace": _sampler("cosplace"),
    "sampler_divide_and_classify": _sampler("divide_and_classify"),
    "class_table_cosplace": _class_table("cosplace"),
    "class_table_divide_and_classify": _class_table("divide_and_classify"),
    "judge_few": _judged(FEW),
    "judge_many": _judged(MANY),
}
