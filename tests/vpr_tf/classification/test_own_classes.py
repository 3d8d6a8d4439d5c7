import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.vpr_tf.classification.tables import Columns, partition_of, places
from vpr_tf.classification.own_classes import own_classes
from vpr_tf.config import (
    CombinatorialConfig,
    CosPlaceConfig,
    DivideAndClassifyConfig,
    EigenPlacesConfig,
    HierarchicalConfig,
)
from vpr_tf.geo import UNKNOWN_ZONE

RNG = np.random.default_rng(0)
POINTS = places(RNG.uniform(0, 150, (90, 2)))
CELLS = DivideAndClassifyConfig(min_images_per_class=1)
HEADINGS = RNG.choice([0, 29.99, 30, 330, 359.75, 360, -1], 90)


@pytest.mark.parametrize(
    "config",
    [
        DivideAndClassifyConfig(min_images_per_class=2),
        CosPlaceConfig(cell_size_m=30, min_images_per_class=2),
        CosPlaceConfig(cell_size_m=30, heading_360="own_bin", min_images_per_class=1),
        CosPlaceConfig(missing_heading="ignore", min_images_per_class=1),
        HierarchicalConfig(min_images_per_class=1, max_images_per_level=[40, 20, 10]),
        CombinatorialConfig(min_images_per_class=1, num_classes=9),
    ],
)
def test_photos_of_the_partition_find_the_classes_that_they_made(config):
    columns = Columns(POINTS, HEADINGS)
    partition = partition_of(columns, config)
    found = own_classes(partition, POINTS, HEADINGS)
    expected = np.full((len(POINTS), partition.num_groups), -1)
    for class_id, group in enumerate(partition.classes["group_id"]):
        first, last = partition.class_offsets[class_id : class_id + 2]
        expected[partition.record_ids[first:last], group] = class_id
    np.testing.assert_array_equal(found, expected)


@given(st.sampled_from([7, 30, 45, 90, 360]), st.integers(0, 35999))
def test_every_heading_finds_the_bin_of_the_partition(size, heading_cdeg):
    heading = heading_cdeg / 100
    point = places([[5, 5]])
    config = CosPlaceConfig(heading_bin_deg=size, min_images_per_class=1)
    partition = partition_of(Columns(point, [heading]), config)
    assert own_classes(partition, point, np.array([heading])).max() == 0


def test_photos_outside_and_without_a_position_have_none():
    partition = partition_of(Columns(POINTS), CELLS)
    outside = places([[9000, 9000], [75, 75]])
    outside.utm_zone[1] = UNKNOWN_ZONE
    assert (own_classes(partition, outside, np.zeros(2)) == -1).all()


def test_photos_are_in_all_views_of_their_cell_whatever_they_look_at():
    config = EigenPlacesConfig(
        cell_size_m=30, min_images_per_class=1, largest_turn_deg=180.0
    )
    partition = partition_of(Columns(POINTS, np.zeros(len(POINTS))), config)
    found = own_classes(partition, POINTS, np.full(len(POINTS), 200.0))
    assert ((found >= 0).sum(axis=1) == 2).all()
    lateral, frontal = found[:, 0::2].max(axis=1), found[:, 1::2].max(axis=1)
    cells = partition.classes[["cell_east_m", "cell_north_m"]]
    np.testing.assert_array_equal(cells[lateral], cells[frontal])
