import shutil
from pathlib import Path

import pytest

from tests.small_training import write_config
from vpr_tf.config import load_config
from vpr_tf.data.prepared_dataset import PreparedDataset
from vpr_tf.data.record_reading import DamagedRecordError
from vpr_tf.training.train import train


def test_a_damaged_record_ends_the_run_with_shard_offset_and_key(
    small_training_dataset, tmp_path
):
    folder = tmp_path / "damaged"
    shutil.copytree(small_training_dataset.path, folder)
    index = PreparedDataset(folder).split("train")
    with Path(index.shard_paths[0]).open("r+b") as shard:
        for offset in index.column("byte_offset")[::3]:
            shard.seek(int(offset) + 200)
            shard.write(b"damaged")
    config = load_config(write_config(tmp_path, folder))
    with pytest.raises(DamagedRecordError, match=r"train-00000.*byte offset \d+.*key"):
        train(config)
