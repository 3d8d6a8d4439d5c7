import json

import numpy as np
import pytest

from vpr_tf.data.partition import CLASS_DTYPE
from vpr_tf.data.prepared_dataset import DatasetError, PreparedDataset

EMPTY = {"shards": []}


@pytest.fixture
def dataset_path(tmp_path):
    """A dataset folder with a split of three records and a partition, by hand."""
    shards = [{"file": "train-00000-of-00001.tfrecord", "num_records": 3}]
    manifest = {
        "format_version": 1,
        "dataset_fingerprint": "f00",
        "splits": {"train": {"shards": shards}, "a": EMPTY, "b": EMPTY},
        "val": None,
        "tests": {"day": {"database": "a", "queries": "b"}},
    }
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    index = tmp_path / "train.index"
    index.mkdir()
    np.save(index / "shard.npy", np.zeros(3, np.int32))
    np.save(index / "key.npy", np.array([b"a", b"b", b"c"]))
    np.save(index / "utm_east_cm.npy", np.array([54405017, 54405020, 1]))
    np.save(index / "utm_north_cm.npy", np.array([417470696, 417470252, 2]))
    folder = tmp_path / "partitions" / "p"
    folder.mkdir(parents=True)
    classes = np.zeros(3, CLASS_DTYPE)
    classes["group_id"] = [0, 0, 1]
    np.save(folder / "classes.npy", classes)
    np.save(folder / "class_offsets.npy", np.array([0, 1, 2, 3]))
    np.save(folder / "record_ids.npy", np.array([2, 0, 1]))
    (folder / "partition.json").write_text('{"parameters": {"cell_size_m": 10}}')
    return tmp_path


def test_columns_are_memory_mapped(dataset_path):
    index = PreparedDataset(dataset_path).split("train")
    assert len(index) == 3
    assert isinstance(index.keys, np.memmap)
    assert index.keys.tolist() == [b"a", b"b", b"c"]
    assert index.utm_m[0].tolist() == [544050.17, 4174706.96]
    assert index.shard_paths == [str(dataset_path / "train-00000-of-00001.tfrecord")]


def test_partition_and_sets(dataset_path):
    dataset = PreparedDataset(dataset_path)
    assert dataset.fingerprint == "f00"
    assert dataset.val is None
    assert dataset.tests["day"].queries == "b"
    assert dataset.tests["day"].queries_have_positions
    partition = dataset.partition("p")
    assert partition.num_groups == 2
    assert partition.classes_of_group(0) == range(2)
    assert partition.classes_of_group(1) == range(2, 3)
    assert partition.parameters == {"cell_size_m": 10}


def test_missing_parts_are_named(dataset_path):
    dataset = PreparedDataset(dataset_path)
    with pytest.raises(DatasetError, match=r"no split 'test'. It has: train"):
        dataset.split("test")
    with pytest.raises(DatasetError, match=r"no partition 'q'. It has: p"):
        dataset.partition("q")
    with pytest.raises(DatasetError, match=r"record index .*width\.npy"):
        dataset.split("train").column("width")
    (dataset_path / "train.index" / "key.npy").write_bytes(b"")
    with pytest.raises(DatasetError, match=r"record index .*key\.npy"):
        _ = dataset.split("train").keys


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "No prepared dataset"),
        ("{", "not valid JSON"),
        ('{"format_version": 9}', "format_version 9"),
    ],
)
def test_unusable_manifest(dataset_path, text, message):
    path = dataset_path / "manifest.json"
    path.unlink() if text is None else path.write_text(text)
    with pytest.raises(DatasetError, match=message):
        PreparedDataset(dataset_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"splits": 3}, "`splits` must be values by name"),
        ({"splits": {"a": {"shards": [1]}}}, r"`splits\.a\.shards\[0\]` must be"),
        ({"splits": {"b": EMPTY}}, "'day' names a split that is not there"),
        (
            {"splits": {"a": EMPTY, "b": EMPTY, "../c": EMPTY}},
            "`splits` must be a name",
        ),
        ({"val": {"database": "a"}}, "`val` lacks queries"),
        ({"added_tests": {"x": []}}, r"`added_tests\.x` must be"),
        ({"dataset_fingerprint": None}, "`dataset_fingerprint` must be text"),
    ],
)
def test_damaged_manifest_is_one_error(dataset_path, change, message):
    path = dataset_path / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(DatasetError, match=f"is damaged: .*{message}"):
        PreparedDataset(dataset_path)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros(3, "<U3"), "holds <U3"),
        (np.zeros((3, 1), np.int64), r"of shape \(3, 1\)"),
        (np.zeros(2, np.int64), r"shape \(2,\), not \(3,\)"),
    ],
)
def test_column_of_another_kind_or_length_is_refused(dataset_path, values, message):
    np.save(dataset_path / "train.index" / "utm_east_cm.npy", values)
    with pytest.raises(DatasetError, match=rf"utm_east_cm\.npy: it .*{message}"):
        _ = PreparedDataset(dataset_path).split("train").utm_m


@pytest.mark.parametrize("name", ["classes.npy", "partition.json"])
def test_damaged_partition_is_one_error(dataset_path, name):
    path = dataset_path / "partitions" / "p" / name
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(DatasetError, match="Cannot read the partition"):
        PreparedDataset(dataset_path).partition("p")
