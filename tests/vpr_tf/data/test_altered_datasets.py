"""What was altered in a dataset is noticed, and no link in it is followed."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from data_prep.added_tests import add_test
from data_prep.build import build_dataset
from data_prep.inspection.inspect import verify_dataset
from data_prep.partition.assignment import add_partition
from tests.data_prep.conftest import write_images
from vpr_tf.config import (
    BuildConfig,
    CosPlaceConfig,
    DatabaseAndQueries,
    DatasetConfig,
    ExperimentConfig,
)
from vpr_tf.data import DatasetError, PreparedDataset
from vpr_tf.data.record_reading import stored_images
from vpr_tf.evaluation.record_images import read_image
from vpr_tf.photos.schema import PHOTO_COLUMNS

COLUMNS = ["shard", "byte_offset", "length", "key", *PHOTO_COLUMNS]
ARRAYS = ["classes", "class_offsets", "record_ids"]


def _config(folder):
    build = BuildConfig(
        source=str(folder),
        train="train",
        partition=CosPlaceConfig(min_images_per_class=1),
        workers=1,
        images_per_shard=4,
    )
    path = str(folder / "dataset")
    return ExperimentConfig("small", dataset=DatasetConfig(path=path), build=build)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    write_images(folder / "train", 6)
    write_images(folder / "night", 2)
    build_dataset(_config(folder))
    return folder


@pytest.fixture
def folder(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "source", symlinks=True)
    return tmp_path / "source" / "dataset"


def _alter(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("column", COLUMNS)
def test_an_altered_column_is_noticed(folder, column):
    index = PreparedDataset(folder).split("train")
    values = np.array(index.column(column))
    _alter(folder / "train.index" / f"{column}.npy")
    with pytest.raises(DatasetError, match=rf"{column}\.npy: it has another crc32c"):
        PreparedDataset(folder).split("train").column(column)
    _alter(folder / "train.index" / f"{column}.npy")
    np.testing.assert_array_equal(index.column(column), values)


@pytest.mark.parametrize("array", ARRAYS)
def test_an_altered_partition_is_noticed(folder, array):
    _alter(folder / "partitions" / "cosplace" / f"{array}.npy")
    with pytest.raises(DatasetError, match="it has another crc32c"):
        PreparedDataset(folder).partition("cosplace")


def test_manifests_stay_right_when_something_is_added(folder):
    config = _config(folder.parent)
    add_test(config, {"night": DatabaseAndQueries("night", "night")})
    add_partition(folder, CosPlaceConfig(name="other", min_images_per_class=1))
    dataset = PreparedDataset(folder)
    for name in dataset.split_names:
        index = dataset.split(name)
        assert index.has_checksums
        for column in COLUMNS:
            index.column(column)
    for name in ("cosplace", "other"):
        dataset.partition(name)
    assert verify_dataset(dataset) == []


def _forget_checksums(folder):
    """Makes the dataset one of a version that kept none of the columns."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    for entry in manifest["splits"].values():
        del entry["columns"]
    path.write_text(json.dumps(manifest))


def _swap(folder, *columns):
    for column in columns:
        path = folder / "train.index" / f"{column}.npy"
        values = np.load(path)
        values[[0, 1]] = values[[1, 0]]
        np.save(path, values)


def test_datasets_without_checksums_are_opened(folder):
    _forget_checksums(folder)
    split = PreparedDataset(folder).split("train")
    assert not split.has_checksums
    assert len(split.column("key")) == 6


def _read_batches(split):
    list(stored_images(split, np.arange(len(split))))


def _draw(split):
    read_image(split, 0)


@pytest.mark.parametrize("read", [_read_batches, _draw])
@pytest.mark.parametrize("columns", [("key",), ("byte_offset", "length")])
def test_a_record_of_another_photo_is_refused(folder, read, columns):
    _forget_checksums(folder)
    _swap(folder, *columns)
    split = PreparedDataset(folder).split("train")
    with pytest.raises(DatasetError, match="another photo than the record index says"):
        read(split)


def test_exchanged_shards_are_found_by_verify(folder):
    shards = sorted(folder.glob("train-*.tfrecord"))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["splits"]["train"]["shards"][0]["records_sha256"] = "0" * 64
    (folder / "manifest.json").write_text(json.dumps(manifest))
    [damage] = verify_dataset(PreparedDataset(folder))
    assert damage == f"{shards[0]} holds other records than were built"


def _open_all(folder):
    dataset = PreparedDataset(folder)
    for name in dataset.split_names:
        split = dataset.split(name)
        split.photo_table()
        _read_batches(split)
    dataset.partition("cosplace")


def _partition(folder):
    add_partition(folder, CosPlaceConfig(name="other", min_images_per_class=1))


READERS = {
    "open": _open_all,
    "build": lambda folder: build_dataset(_config(folder.parent)),
    "add-test": lambda folder: add_test(
        _config(folder.parent), {"night": DatabaseAndQueries("night", "night")}
    ),
    "partition": _partition,
}
NAMES = [
    *("manifest.json", "train.index", "train.index/key.npy", "partitions"),
    *("train-00000-of-00002.tfrecord", "partitions/cosplace"),
    *("partitions/cosplace/classes.npy", "partitions/cosplace/partition.json"),
    *("dataset_info.json", "features.json", "rejected.csv"),
]
UNREAD = {
    "open": {"dataset_info.json", "features.json", "rejected.csv"},
    "partition": {*NAMES} - {"manifest.json", "train.index", "partitions"},
}


def _contents(folder):
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


@pytest.mark.parametrize("command", READERS)
@pytest.mark.parametrize("name", NAMES)
def test_no_command_follows_a_link(folder, tmp_path, command, name):
    outside = tmp_path / "outside"
    outside.mkdir()
    shutil.move(folder / name, outside / "held")
    (folder / name).symlink_to(outside / "held")
    before = _contents(outside)
    if name in UNREAD.get(command, set()):
        READERS[command](folder)
    else:
        with pytest.raises(ValueError, match="symbolic link"):
            READERS[command](folder)
    assert _contents(outside) == before


@pytest.mark.parametrize(
    "name", ["train.index", "val", "train-00000-of-00002.tfrecord"]
)
def test_an_unfinished_build_writes_through_no_link(folder, tmp_path, name):
    shutil.rmtree(folder)
    folder.mkdir()
    canary = tmp_path / "canary"
    canary.mkdir()
    (canary / "file").write_text("mine")
    (folder / name).symlink_to(canary)
    with pytest.raises(ValueError, match=r"other files|symbolic link"):
        build_dataset(_config(folder.parent))
    work = folder / ".build"
    work.mkdir()
    (work / "lock").touch()
    with pytest.raises(ValueError, match="symbolic link"):
        build_dataset(_config(folder.parent))
    assert _contents(canary) == {"file": b"mine"}


def test_paths_of_shards_are_inside(folder):
    split = PreparedDataset(folder).split("train")
    assert all(Path(path).parent == folder for path in split.shard_paths)
