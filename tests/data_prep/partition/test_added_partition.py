import numpy as np
import pytest

from data_prep.build import build_dataset
from data_prep.errors import DataPrepError
from data_prep.partition.assignment import add_partition
from tests.data_prep.test_build_dataset import files_of
from vpr_tf.config import CosPlaceConfig
from vpr_tf.data.prepared_dataset import PreparedDataset


def test_another_partition_is_added_and_nothing_else_changes(city_config):
    path = build_dataset(city_config).path
    before = files_of(path)
    config = CosPlaceConfig(name="coarse", cell_size_m=50, min_images_per_class=2)
    add_partition(path, config)
    after = files_of(path)
    assert {name: after[name] for name in before} == before
    assert {name.split("/")[1] for name in after.keys() - before} == {"coarse"}
    dataset = PreparedDataset(path)
    assert dataset.partition_names == ["coarse", "cosplace"]
    partition = dataset.partition("coarse")
    assert partition.parameters["cell_size_m"] == 50
    index = dataset.split("train")
    for class_id, row in enumerate(partition.classes):
        first, last = partition.class_offsets[class_id : class_id + 2]
        east_cm = index.column("utm_east_cm")[partition.record_ids[first:last]]
        assert np.all(east_cm // 5_000 * 50 == row["cell_east_m"])
        assert last - first == row["num_images"] >= 2


def test_the_same_parameters_give_the_partition_of_the_build(city_config):
    dataset = build_dataset(city_config)
    built = dataset.partition("cosplace")
    added = add_partition(dataset.path, CosPlaceConfig("again", min_images_per_class=1))
    assert np.array_equal(built.classes, added.classes)
    assert np.array_equal(built.record_ids, added.record_ids)


def test_the_same_partition_again_is_no_error(city_config):
    path = build_dataset(city_config).path
    before = files_of(path)
    assert add_partition(path, city_config.build.partition) is None
    # A dataset that was built before there were other methods.
    description = path / "partitions" / "cosplace" / "partition.json"
    text = description.read_text().replace('"method": "cosplace",', "")
    description.write_text(text)
    assert add_partition(path, city_config.build.partition) is None
    description.write_bytes(before["partitions/cosplace/partition.json"])
    assert files_of(path) == before


def test_a_name_that_is_taken_is_refused(city_config):
    path = build_dataset(city_config).path
    with pytest.raises(DataPrepError, match="cell_size_m=10 there, 20 here"):
        add_partition(path, CosPlaceConfig(cell_size_m=20, min_images_per_class=1))
