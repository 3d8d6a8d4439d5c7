"""The last stage of a build: record indexes, TFDS metadata and the manifest."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_prep.build_state import build_parameters
from data_prep.errors import wrap_disk_errors
from data_prep.plan import BuildPlan
from data_prep.shards import MetadataTable, ScannedSplit, ShardTask, write_atomically
from vpr_tf.atomic_files import new_file, new_folder
from vpr_tf.config import ExperimentConfig
from vpr_tf.data.dataset_manifest import FORMAT_VERSION
from vpr_tf.data.prepared_dataset import INDEX_COLUMNS
from vpr_tf.data.records import FRAME_BYTES, tfds_features
from vpr_tf.photos.schema import GROUP_COLUMNS
from vpr_tf.stored_files import ChecksumWriter, StoredFile


def finish_dataset(
    config: ExperimentConfig,
    plan: BuildPlan,
    splits: list[ScannedSplit],
    source_fingerprint: str,
) -> None:
    """Writes everything beside the shards; the manifest comes last."""
    write_indexes(Path(config.dataset.path), splits)
    write_descriptions(config, plan, splits, source_fingerprint)


def write_descriptions(
    config: ExperimentConfig,
    plan: BuildPlan,
    splits: list[ScannedSplit],
    source_fingerprint: str,
) -> None:
    """Writes the metadata of TFDS and the manifest, once the indexes are there."""
    path = Path(config.dataset.path)
    shards = {split.plan.name: split.shards for split in splits}
    write_tfds_metadata(path, config.name, shards)
    has_train = config.build.train is not None
    manifest = {
        "format_version": FORMAT_VERSION,
        "dataset_fingerprint": dataset_fingerprint_of(splits),
        "source_fingerprint": source_fingerprint,
        "build": build_parameters(config.build),
        "partition": config.build.partition.name if has_train else None,
        "splits": {split.plan.name: split_entry(split) for split in splits},
        "val": plan.val,
        "tests": plan.tests,
    }
    write_manifest(path, manifest)


def write_indexes(path: Path, splits: list[ScannedSplit]) -> None:
    """Writes the columns of `INDEX_COLUMNS` of every split, a piece at a time."""
    for split in splits:
        folder, progress = path / f"{split.plan.name}.index", split.progress
        widths = {"key": progress.longest_key, "timestamp": progress.longest_timestamp}
        columns = dict(INDEX_COLUMNS)
        for name, longest in sorted(progress.groups.items()):
            columns[name] = f"|S{longest}" if longest else GROUP_COLUMNS[name]
        folder.mkdir(exist_ok=True)
        with wrap_disk_errors(folder):
            for name, dtype in columns.items():
                if name in widths:
                    dtype = f"|S{max(widths[name], 1)}"
                split.columns[name] = _write_column(
                    folder / f"{name}.npy",
                    np.dtype(dtype),
                    progress.num_rows,
                    _column(name, split.table, progress.num_rows, split.tasks),
                )


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
        "num_outside": split.progress.num_outside,
        "num_flagged": split.progress.num_flagged,
        "num_left_out": dataclasses.asdict(split.skipped),
        "shards": split.shards,
        "columns": {
            name: dataclasses.asdict(stored) for name, stored in split.columns.items()
        },
    }


def dataset_fingerprint_of(splits: Sequence[ScannedSplit]) -> str:
    """Hashes the digests of all shards, and of what is in the indexes alone."""
    digest = hashlib.sha256()
    for split in splits:
        for shard in split.shards:
            line = f"{shard['file']} {shard['records_sha256']}\n"
            digest.update(line.encode())
    for split in splits:
        for name in sorted(split.progress.groups):
            line = f"{split.plan.name}.index/{name} {split.columns[name].sha256}\n"
            digest.update(line.encode())
    return digest.hexdigest()


def _column(
    name: str, table: MetadataTable, num_rows: int, tasks: list[ShardTask]
) -> Iterator[np.ndarray]:
    if name in ("shard", "byte_offset", "length"):
        return (_shard_column(name, i, task) for i, task in enumerate(tasks))
    if name == "key":
        return (
            np.array([key.encode() for key in keys])
            for _, keys in table.iterate(num_rows)
        )
    return (rows[name] for rows in table.iterate_rows(num_rows))


def _shard_column(name: str, number: int, task: ShardTask) -> np.ndarray:
    lengths = np.fromfile(task.lengths_path, np.int64)
    if name == "shard":
        return np.full(len(lengths), number)
    if name == "length":
        return lengths
    return np.cumsum(lengths + FRAME_BYTES) - (lengths + FRAME_BYTES)


def _write_column(
    path: Path, dtype: np.dtype, length: int, pieces: Iterator[np.ndarray]
) -> StoredFile:
    header = {
        "descr": np.lib.format.dtype_to_descr(dtype),
        "fortran_order": False,
        "shape": (length,),
    }
    with new_file(path) as temporary, temporary.open("wb") as file:
        writer = ChecksumWriter(file)
        np.lib.format.write_array_header_1_0(writer, header)
        for piece in pieces:
            writer.write(piece.astype(dtype).tobytes())
    return writer.stored()


def write_tfds_metadata(
    dataset_path: Path, name: str, splits: dict[str, list[dict[str, Any]]]
) -> None:
    """Writes features.json and dataset_info.json.

    Args:
        dataset_path: The dataset folder.
        name: Name of the dataset.
        splits: Summaries of the shards, by split.
    """
    import tensorflow_datasets as tfds

    template = tfds.core.ShardedFileTemplate(
        data_dir=dataset_path,
        template="{SPLIT}-{SHARD_X_OF_Y}.tfrecord",
        dataset_name=name,
        filetype_suffix="tfrecord",
    )
    split_infos = [
        tfds.core.SplitInfo(
            name=split,
            shard_lengths=[shard["num_records"] for shard in shards],
            num_bytes=sum(shard["num_bytes"] for shard in shards),
            filename_template=template,
        )
        for split, shards in splits.items()
    ]
    with new_folder(dataset_path / "tfds") as temporary:
        for shard in itertools.chain.from_iterable(splits.values()):
            (temporary / shard["file"]).touch()  # it looks for their names
        tfds.folder_dataset.write_metadata(
            data_dir=temporary,
            features=tfds_features(),
            split_infos=split_infos,
            filename_template=template,
            check_data=False,  # it would decode an image, which need not succeed
        )
        for file in temporary.glob("*.json"):
            file.replace(dataset_path / file.name)
