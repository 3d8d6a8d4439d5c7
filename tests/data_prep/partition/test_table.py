import doctest

import numpy as np
import pytest

import data_prep
import data_prep.partition.table
from data_prep import build_dataset, partition_table
from vpr_tf.config import CosPlaceConfig


def table_of(index) -> dict[str, np.ndarray]:
    positions = index.positions()
    heading_deg = np.array(index.column("heading_deg"), np.float64)
    heading_deg[heading_deg < 0] = np.nan
    return {
        "utm_east": positions.utm_east_cm / 100,
        "utm_north": positions.utm_north_cm / 100,
        "utm_zone": positions.utm_zone,
        "latitude": positions.latitude_deg,
        "longitude": positions.longitude_deg,
        "heading_deg": heading_deg,
    }


@pytest.mark.parametrize("method", ["cosplace", "divide_and_classify", "planet"])
def test_classes_are_those_of_a_build(city_config, make_config, method):
    fields = {"method": method, "min_images_per_class": 1}
    dataset = build_dataset(
        make_config(partition={**fields, "name": method}, images_per_shard=16)
    )
    built = dataset.partition(method)
    found = partition_table(table_of(dataset.split("train")), **fields)
    np.testing.assert_array_equal(found.classes, built.classes)
    class_of_record = np.empty(len(found.class_id), np.int64)
    counts = np.diff(built.class_offsets)
    class_of_record[built.record_ids] = np.repeat(np.arange(len(counts)), counts)
    np.testing.assert_array_equal(found.class_id, class_of_record)
    groups = built.classes["group_id"][class_of_record]
    np.testing.assert_array_equal(found.group_id, groups)


def test_data_frame_and_degrees_give_the_same():
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    table = {
        "latitude": rng.uniform(37.7, 37.701, 200),
        "longitude": rng.uniform(-122.5, -122.499, 200),
        "heading_deg": rng.uniform(-180, 360, 200),
    }
    config = CosPlaceConfig(min_images_per_class=2)
    expected = partition_table(table, config)
    frame = pandas.DataFrame(table, index=range(1000, 1200))
    for a, b in zip(partition_table(frame, config), expected, strict=True):
        np.testing.assert_array_equal(a, b)


def test_rows_without_heading_are_in_no_class():
    table = {"utm_east": [1.0] * 3, "utm_north": [1.0] * 3, "utm_zone": [10] * 3}
    headings = {"heading_deg": [5.0, np.nan, -1.0]}
    found = partition_table(table | headings, min_images_per_class=1)
    assert found.class_id.tolist() == found.group_id.tolist() == [0, -1, -1]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"latitude": [1.0]}, "must have the columns .* Received: latitude"),
        ({"latitude": [1.0, np.nan], "longitude": [1.0, 1.0]}, "finite number a row"),
        (
            {"latitude": [1.0, 1.0], "longitude": [1.0, 1.0], "heading_deg": [1.0]},
            "columns of one length",
        ),
    ],
)
def test_unusable_tables_are_refused(table, message):
    with pytest.raises(ValueError, match=message):
        partition_table(table)


def test_example():
    assert not doctest.testmod(data_prep.partition.table).failed
