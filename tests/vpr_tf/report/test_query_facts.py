import numpy as np
import pytest

from tests.vpr_tf.report.tiny_photos import photos_at
from vpr_tf.data.partition import CLASS_DTYPE, REGION_DTYPE, Partition
from vpr_tf.geo.s2_cells import first_leaves, last_leaves, leaf_cells, parent_cells
from vpr_tf.report.query_facts import (
    class_sizes,
    heading_gaps,
    year_gaps,
    years_of,
)


def test_years_of_timestamps():
    texts = np.array([b"2019", b"202011", b"20180704_1530", b"", b"201", b"19x9"])
    np.testing.assert_array_equal(years_of(texts), [2019, 2020, 2018, *[np.nan] * 3])
    np.testing.assert_array_equal(years_of(np.array([b""], "S1")), [np.nan])


def test_gaps_are_those_of_the_most_alike_positive():
    queries = photos_at(
        [0, 0, 0], timestamps=[b"2020", b"", b"2020"], heading_deg=[350, 10, -1]
    )
    database = photos_at(
        [0, 0, 0], timestamps=[b"2012", b"2023", b""], heading_deg=[10, 300, -1]
    )
    positives = [np.array([0, 1, 2]), np.array([0]), np.array([], np.int64)]
    np.testing.assert_array_equal(
        year_gaps(queries, database, positives), [3, np.nan, np.nan]
    )
    np.testing.assert_array_equal(
        heading_gaps(queries, database, positives), [20, 0, np.nan]
    )


@pytest.fixture
def partition():
    """Two classes of one cell of 10 m by heading, 3 and 30 images."""
    classes = np.zeros(2, CLASS_DTYPE)
    classes["cell_east_m"], classes["cell_north_m"] = 548_000, 4_173_000
    classes["utm_zone"] = 10
    classes["heading_bin_deg"] = [0, 30]
    classes["num_images"] = [3, 30]
    parameters = {
        "cell_size_m": 10,
        "heading_bin_deg": 30,
        "missing_heading": "reject",
        "heading_360": "zero",
    }
    return Partition("cosplace", parameters, classes, np.zeros(3), np.zeros(0))


def test_class_sizes_by_place_and_heading(partition):
    queries = photos_at(
        [0, 9.99, 10, 0, 0, 0, 0],
        heading_deg=[29.9, 30, 30, 360, 90, -1, 0],
        zone=[10, 10, 10, 10, 10, 10, 0],
    )
    expected = [3, 30, 0, 3, 0, np.nan, np.nan]
    np.testing.assert_array_equal(class_sizes(queries, partition), expected)
    partition.parameters["missing_heading"] = "ignore"
    expected = [3, 3, 0, 3, 3, 3, np.nan]
    np.testing.assert_array_equal(class_sizes(queries, partition), expected)


def test_class_sizes_by_cells_of_the_last_group():
    classes = np.zeros(2, CLASS_DTYPE)
    classes["group_id"], classes["num_images"] = [0, 1], [70, 7]
    queries = photos_at([0, 5_000, 0], zone=[10, 10, 0])
    here = leaf_cells(
        queries.positions.latitude_deg[:1], queries.positions.longitude_deg[:1]
    )
    cell = parent_cells(here, 18)
    regions = np.zeros(2, REGION_DTYPE)
    regions["first_leaf"] = first_leaves(cell)
    regions["last_leaf"] = last_leaves(cell)
    regions["class_id"] = [0, 1]
    partition = Partition("p", {}, classes, np.zeros(3), np.zeros(0), regions)
    np.testing.assert_array_equal(class_sizes(queries, partition), [7, 0, np.nan])
