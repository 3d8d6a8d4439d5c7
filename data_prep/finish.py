"""The last stage of a build: record indexes, TFDS metadata and the manifest."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from data_prep.build_state import build_parameters
from data_prep.plan import BuildPlan
from data_prep.record_index import write_record_index
from data_prep.stages import ScannedSplit
from data_prep.table import write_atomically
from data_prep.tfds_metadata import write_tfds_metadata
from vpr_tf.config import ExperimentConfig
from vpr_tf.data.prepared_dataset import FORMAT_VERSION


def finish_dataset(
    config: ExperimentConfig,
    plan: BuildPlan,
    splits: list[ScannedSplit],
    source_fingerprint: str,
) -> None:
    """Writes everything beside the shards; the manifest comes last."""
    path = Path(config.dataset.path)
    write_indexes(path, splits)
    shards = {split.plan.name: split.shards for split in splits}
    write_tfds_metadata(path, config.name, shards)
    has_train = config.build.train is not None
    manifest = {
        "format_version": FORMAT_VERSION,
        "dataset_fingerprint": dataset_fingerprint_of(shards),
        "source_fingerprint": source_fingerprint,
        "build": build_parameters(config.build),
        "partition": config.build.partition.name if has_train else None,
        "splits": {split.plan.name: split_entry(split) for split in splits},
        "val": plan.val,
        "tests": plan.tests,
    }
    write_manifest(path, manifest)


def write_indexes(path: Path, splits: list[ScannedSplit]) -> None:
    """Writes the record index of every split."""
    for split in splits:
        folder = path / f"{split.plan.name}.index"
        write_record_index(folder, split.table, split.progress, split.tasks)


def write_manifest(path: Path, manifest: dict[str, Any]) -> None:
    """Writes the manifest, which makes everything else count."""
    text = json.dumps(manifest, indent=2) + "\n"
    write_atomically(path / "manifest.json", text.encode())


def split_entry(split: ScannedSplit) -> dict[str, Any]:
    """Returns what the manifest says of a split."""
    return {
        "source": split.plan.entry,
        "num_records": split.progress.num_rows,
        "num_rejected": split.progress.num_rejected,
        "shards": split.shards,
    }


def dataset_fingerprint_of(shards: dict[str, list[dict[str, Any]]]) -> str:
    """Hashes the digests of all shards."""
    digest = hashlib.sha256()
    for summaries in shards.values():
        for shard in summaries:
            line = f"{shard['file']} {shard['records_sha256']}\n"
            digest.update(line.encode())
    return digest.hexdigest()
