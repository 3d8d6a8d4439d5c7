import numpy as np
import pytest

from data_prep.build import build_dataset
from tests.data_prep.conftest import make_config as make_config
from tests.data_prep.conftest import write_images
from vpr_tf.data.verification import verify_split


@pytest.fixture
def dataset(tmp_path, make_config):
    """Twelve records in three shards."""
    write_images(tmp_path / "train", 12)
    return build_dataset(make_config(images_per_shard=4))


def damage(path, offset):
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.write_bytes(data)


def test_intact_split_has_no_damage(dataset):
    read = []
    assert list(verify_split(dataset, "train", read.append)) == []
    assert sum(read) == 12


@pytest.mark.parametrize(
    ("place", "problem"),
    [(3, "length is damaged"), (100, "do not match their checksum")],
)
def test_damaged_record_is_named_by_shard_and_offset(dataset, place, problem):
    offset = int(dataset.split("train").column("byte_offset")[6])
    shard = dataset.path / "train-00001-of-00003.tfrecord"
    damage(shard, offset + place)
    [message] = verify_split(dataset, "train")
    assert message.startswith(
        f"damaged record 2 in shard {shard.name} at byte offset {offset}"
    )
    assert problem in message


def test_truncated_and_missing_shards_are_named(dataset):
    shard = dataset.path / "train-00002-of-00003.tfrecord"
    shard.write_bytes(shard.read_bytes()[:-1])
    [message] = verify_split(dataset, "train")
    assert "damaged record 3 in shard train-00002" in message
    assert "truncated" in message
    shard.unlink()
    [message] = verify_split(dataset, "train")
    assert "cannot be read" in message


def test_digest_of_the_manifest_changes_with_any_byte(dataset):
    shards = dataset.manifest["splits"]["train"]["shards"]
    assert len({shard["records_sha256"] for shard in shards}) == 3
    assert np.all([shard["num_records"] == 4 for shard in shards])
