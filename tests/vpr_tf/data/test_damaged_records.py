import dataclasses
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.vpr_tf.data.prepared_fixture import stored, write_prepared_dataset
from vpr_tf.config import Preprocessing, TrainConfig
from vpr_tf.data.class_sampler import sampled_record_ids
from vpr_tf.data.image_batches import ImageBatches, SplitImages
from vpr_tf.data.record_reading import DamagedRecordError, damaged_records_named
from vpr_tf.data.training_batches import training_batches

_BAD = 7  # in the second shard, its third record


def images_of_split() -> list:
    return [stored(32, 32, seed=i) for i in range(10)]


def read_everything(split) -> None:
    with damaged_records_named(split, lambda: range(len(split))):
        for _ in ImageBatches(SplitImages(split), Preprocessing(), 3).read():
            pass


def train_on_everything(dataset) -> None:
    split, partition = dataset.split("train"), dataset.partition("cosplace")
    config = TrainConfig(batch_size=2, image_size=16)
    batches = training_batches(split, partition, 0, config, 0, num_samples=200)
    with damaged_records_named(
        split, lambda: sampled_record_ids(partition, 0, config, 0, 0, 200)
    ):
        for _ in batches:
            pass


def fail_elsewhere(split) -> None:
    with damaged_records_named(split, lambda: np.arange(3)):
        raise tf.errors.InvalidArgumentError(None, None, "elsewhere")


def flip_a_bit(path: Path, offset: int) -> None:
    data = bytearray(path.read_bytes())
    data[offset + 40] ^= 1
    path.write_bytes(data)


def cut_inside(path: Path, offset: int) -> None:
    path.write_bytes(path.read_bytes()[: offset + 40])


def cut_before(path: Path, offset: int) -> None:
    path.write_bytes(path.read_bytes()[:offset])


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (flip_a_bit, "corrupted record"),
        (cut_inside, "truncated record"),
        (cut_before, "the shard ends before it"),
    ],
)
def test_damaged_shard_is_reported_with_shard_offset_and_key(tmp_path, damage, reason):
    images = images_of_split()
    split = write_prepared_dataset(tmp_path, images[:1], images).split("val-database")
    path = Path(split.shard_paths[1])
    offset = int(split.column("byte_offset")[_BAD])
    damage(path, offset)
    with pytest.raises(DamagedRecordError) as caught:
        read_everything(split)
    message = str(caught.value)
    for part in (str(path), f"offset {offset}", "@val-database@7.jpg", reason):
        assert part in message
    assert "{{" not in message


def test_truncated_image_in_a_whole_record_is_named(tmp_path):
    images = images_of_split()
    images[_BAD] = dataclasses.replace(images[_BAD], data=images[_BAD].data[:-300])
    dataset = write_prepared_dataset(tmp_path, images)
    with pytest.raises(DamagedRecordError, match=r"@train@7\.jpg.*JPEG"):
        train_on_everything(dataset)


def test_image_of_another_size_than_the_index_says_is_named(tmp_path):
    images = images_of_split()
    images[_BAD] = stored(16, 32, seed=0)
    images[_BAD] = dataclasses.replace(images[_BAD], height=32)
    split = write_prepared_dataset(tmp_path, images[:1], images).split("val-database")
    with pytest.raises(DamagedRecordError, match=r"is \[16, 32\].*says \[32, 32\]"):
        read_everything(split)


def test_errors_of_something_else_pass_unchanged(tmp_path):
    images = images_of_split()
    split = write_prepared_dataset(tmp_path, images).split("train")
    with pytest.raises(tf.errors.InvalidArgumentError, match="elsewhere"):
        fail_elsewhere(split)
