"""`images_kept_per_class`: at most so many images of each class."""

import json
import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import data_prep
from data_prep.errors import DataPrepError
from data_prep.partition.assignment import add_partition, summary
from vpr_tf.config import ConfigError, CosPlaceConfig
from vpr_tf.data import PreparedDataset


def table_of(cells: list[int]) -> dict[str, list[float]]:
    """Photos in cells of 10 m along a line."""
    count = len(cells)
    return {
        "utm_east": [500_005.0 + 10 * cell for cell in cells],
        "utm_north": [4_000_005.0] * count,
        "utm_zone": [10] * count,
        "heading_deg": [0.0] * count,
    }


def partition(cells: list[int], **fields):
    return data_prep.partition_table(
        table_of(cells), min_images_per_class=1, cell_stride=1, **fields
    )


def test_kept_images_are_evenly_spaced_and_the_others_in_no_class():
    found = partition([0] * 10 + [1] * 2, images_kept_per_class=4)
    assert found.classes["num_images"].tolist() == [4, 2]
    assert np.flatnonzero(found.class_id == 0).tolist() == [0, 3, 5, 8]
    assert found.class_id[10:].tolist() == [1, 1]
    assert (found.group_id == np.where(found.class_id < 0, -1, 0)).all()


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.integers(1, 9))
def test_every_class_keeps_what_it_has_or_the_limit(cells, most):
    all_images = partition(cells)
    kept = partition(cells, images_kept_per_class=most)
    counts = np.minimum(all_images.classes["num_images"], most)
    np.testing.assert_array_equal(kept.classes["num_images"], counts)
    is_kept = kept.class_id >= 0
    np.testing.assert_array_equal(np.bincount(kept.class_id[is_kept]), counts)
    np.testing.assert_array_equal(kept.class_id[is_kept], all_images.class_id[is_kept])
    for number in range(len(counts)):
        places = np.flatnonzero(kept.class_id[all_images.class_id == number] >= 0)
        gaps = np.diff(places)
        assert places[0] == 0
        assert not len(gaps) or gaps.max() - gaps.min() <= 1


def test_group_order_of_first_images_stays():
    cells = [3, 3, 3, 0, 0, 0, 1]
    fields = {"cell_stride": 2, "group_order": "first_seen"}
    table = table_of(cells)
    every, kept = (
        data_prep.partition_table(table, min_images_per_class=1, **fields, **more)
        for more in ({}, {"images_kept_per_class": 1})
    )
    columns = ["cell_east_m", "group_id"]
    np.testing.assert_array_equal(kept.classes[columns], every.classes[columns])
    assert np.flatnonzero(kept.class_id >= 0).tolist() == [0, 3, 6]


def test_fewer_than_the_minimum_are_refused():
    message = "`build.partition.images_kept_per_class` must be 10 or more"
    with pytest.raises(ConfigError, match=message):
        CosPlaceConfig(images_kept_per_class=9)


def test_added_partition_counts_what_is_left_out(small_training_dataset, tmp_path):
    path = tmp_path / "dataset"
    shutil.copytree(small_training_dataset.path, path)
    fields = {"name": "three", "min_images_per_class": 2}
    config = CosPlaceConfig(**fields, images_kept_per_class=3)
    assignment = add_partition(path, config)
    assert assignment.num_images == 24
    assert assignment.num_not_kept == 16
    assert "left out 16 images" in summary(assignment, config)
    description = json.loads((path / "partitions/three/partition.json").read_text())
    assert description["num_not_kept"] == 16
    stored = PreparedDataset(path).partition("three")
    assert np.diff(stored.class_offsets).tolist() == [3] * 8
    with pytest.raises(DataPrepError, match="images_kept_per_class=3 there, None here"):
        add_partition(path, CosPlaceConfig(**fields))
