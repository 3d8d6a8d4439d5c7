"""TFDS metadata, so that `tfds.builder_from_directory(path)` loads every split."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path
from typing import Any

from vpr_tf.data.records import tfds_features


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
    temporary = dataset_path / ".tfds.tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    for shard in itertools.chain.from_iterable(splits.values()):
        (temporary / shard["file"]).touch()  # it looks for their names
    tfds.folder_dataset.write_metadata(
        data_dir=temporary,
        features=tfds_features(),
        split_infos=[
            tfds.core.SplitInfo(
                name=split,
                shard_lengths=[shard["num_records"] for shard in shards],
                num_bytes=sum(shard["num_bytes"] for shard in shards),
                filename_template=template,
            )
            for split, shards in splits.items()
        ],
        filename_template=template,
        check_data=False,  # it would decode an image, which need not succeed
    )
    for file in temporary.glob("*.json"):
        file.replace(dataset_path / file.name)
    shutil.rmtree(temporary)
