import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.vpr_tf.classification.tables import (
    DIVIDE_AND_CLASSIFY,
    Columns,
    grid_table,
    partition_of,
    places,
)
from vpr_tf.classification import ClassificationError, ClassTable
from vpr_tf.config import CombinatorialConfig, CosPlaceConfig, PartitionConfig
from vpr_tf.geo import distances_m

coordinates = st.integers(0, 30_000)  # centimetres
points = st.lists(st.tuples(coordinates, coordinates), min_size=1, max_size=40)


def test_a_place_is_the_centre_of_its_cell():
    table = grid_table(places([[3, 5], [19.99, 0], [20, 0], [61, 45]]))

    assert len(table) == 3
    assert sorted((table.positions.utm_east_cm // 100 % 1000).tolist()) == [10, 30, 70]
    assert table.num_groups == 2
    assert (np.sort(table.members, axis=1)[:, -1] >= 0).all()
    assert ((table.members >= 0).sum(axis=1) == 1).all()


@given(points)
@settings(max_examples=40)
def test_every_image_lies_in_the_cell_of_its_class(local_cm):
    positions = places(np.array(local_cm) / 100)
    columns = Columns(positions)
    partition = partition_of(columns, DIVIDE_AND_CLASSIFY)
    table = ClassTable.from_partition(partition, columns)

    of_class = np.repeat(np.arange(len(table)), np.diff(partition.class_offsets))
    located = table.cells.locate(positions)

    np.testing.assert_array_equal(located[partition.record_ids], table.cell[of_class])
    images = positions.take(partition.record_ids)
    metres = distances_m(images, table.positions, of_class[:, None])
    assert metres.max() <= np.hypot(10, 10) + 0.01


def test_positions_outside_of_all_cells_have_none():
    table = grid_table(places([[3, 5], [61, 45]]))
    asked = places([[3, 25], [-3, 5], [1e6, 5], [61, 59]])
    other_zone = places([[3, 5]], zone=11)

    assert table.cells.locate(asked).tolist()[:3] == [-1, -1, -1]
    assert table.cells.locate(asked)[3] >= 0
    assert table.cells.locate(other_zone).tolist() == [-1]


def test_only_trained_groups_have_places():
    columns = Columns(places([[3, 5], [23, 5], [3, 25], [23, 25]]))
    partition = partition_of(columns, DIVIDE_AND_CLASSIFY)

    table = ClassTable.from_partition(partition, columns, num_groups=2)

    assert table.num_groups == 2
    assert len(table) == 2


def test_classes_of_one_cell_that_differ_in_heading_share_it():
    config = CosPlaceConfig(
        cell_size_m=20, cell_stride=1, heading_stride=1, min_images_per_class=1
    )
    columns = Columns(places([[3, 5]] * 3 + [[30, 5]]), [10, 20, 95, 95])

    table = ClassTable.from_partition(partition_of(columns, config), columns)

    assert len(table) == 3
    assert table.num_cells == 2
    assert table.heading_deg.tolist() == [15.0, 105.0, 105.0]


@pytest.mark.parametrize("method", ["planet", "hierarchical", "combinatorial"])
def test_s2_cells_locate_the_images_of_their_classes(method):
    rng = np.random.default_rng(1)
    positions = places(rng.uniform(0, 300, (400, 2)))
    columns = Columns(positions)
    config = PartitionConfig.from_parameters(
        {
            "method": method,
            "min_images_per_class": 5,
            "max_images_per_class": 40,
            "max_images_per_level": [160, 80, 40],
            "num_classes": 12,
        }
    )
    partition = partition_of(columns, config)

    table = ClassTable.from_partition(partition, columns)
    located = table.cells.locate(positions)

    in_every_group = np.zeros((table.num_groups, len(positions)), bool)
    for group in range(table.num_groups):
        classes = partition.classes_of_group(group)
        for index, class_id in enumerate(classes):
            first, last = partition.class_offsets[class_id : class_id + 2]
            images = partition.record_ids[first:last]
            in_every_group[group, images] = True
            inside = images[located[images] >= 0]
            assert (table.members[located[inside], group] == index).all()
    np.testing.assert_array_equal(located >= 0, in_every_group.all(axis=0))
    assert table.combine == ("own_group" if method == "planet" else "product")


def test_an_intersection_is_where_its_images_are():
    rng = np.random.default_rng(2)
    positions = places(rng.uniform(0, 200, (300, 2)))
    columns = Columns(positions)
    config = CombinatorialConfig(min_images_per_class=1, num_classes=8)
    table = ClassTable.from_partition(partition_of(columns, config), columns)
    located = table.cells.locate(positions)
    for place in range(0, len(table), 7):
        mean = columns.utm_m[located == table.cell[place]].mean(axis=0)
        east_m = table.positions.utm_east_cm[place] / 100
        assert abs(east_m - mean[0]) < 0.02


def test_places_of_groups_are_those_of_the_classes():
    table = grid_table(places(np.random.default_rng(3).uniform(0, 200, (60, 2))))
    for group, rows in enumerate(table.places_of_groups):
        assert table.members[rows, group].tolist() == list(range(len(rows)))
    product = dataclasses.replace(table, combine="product")
    with pytest.raises(ClassificationError, match="Only places of one group"):
        _ = product.places_of_groups
