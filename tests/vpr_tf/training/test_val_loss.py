import types

import numpy as np
import pytest

from tests.vpr_tf.classification.tables import Columns, partition_of, places
from vpr_tf.config import (
    CosPlaceConfig,
    DivideAndClassifyConfig,
    HeadConfig,
    MarginHeadConfig,
    SoftLabelHeadConfig,
)
from vpr_tf.training.heads import HeadFactory
from vpr_tf.training.val_loss import ValLoss

# Eight cells of 10 m along a street, two photos in each.
TRAIN = places([[10 * cell + x, 5] for cell in range(8) for x in (2, 7)])
QUERIES = places([[3, 5], [13, 5], [28, 5], [75, 5], [300, 5]])
CELLS = DivideAndClassifyConfig(cell_size_m=10, cell_stride=2, min_images_per_class=1)
BINS = CosPlaceConfig(cell_stride=1, heading_stride=1, min_images_per_class=1)


def split_of(positions, headings=None):
    columns = Columns(positions, headings)
    return types.SimpleNamespace(
        positions=lambda: positions, column=columns.column, columns=columns
    )


def build(head_config, partition_config, queries, train_headings=None):
    train = split_of(TRAIN, train_headings)
    partition = partition_of(train.columns, partition_config)
    factory = HeadFactory.of(head_config, partition, train)
    heads = [factory.create(group) for group in range(partition.num_groups)]
    for head in heads:
        head.build((None, 6))
    return ValLoss.of(heads, factory, queries), heads, factory


def descriptors(count=5):
    return np.random.default_rng(0).normal(size=(count, 6)).astype("float32")


@pytest.mark.parametrize("config", [HeadConfig("cross_entropy"), MarginHeadConfig()])
def test_each_photo_counts_by_the_head_of_its_group(config):
    val_loss, heads, _ = build(config, CELLS, split_of(QUERIES))
    x = descriptors()
    # Cells 0, 1, 2 and 7; their groups and classes, of four in each group.
    expected = [
        float(heads[cell % 2].loss(x[row : row + 1], [cell // 2])[0])
        for row, cell in enumerate([0, 1, 2, 7])
    ]
    assert val_loss.num_photos == 4
    assert val_loss.measure(x) == pytest.approx(np.mean(expected), rel=1e-5)


def test_heads_of_places_learn_the_position():
    queries = split_of(QUERIES, [30.0, 30, 30, 30, 30])
    val_loss, [head], factory = build(
        SoftLabelHeadConfig(), BINS, queries, np.full(16, 30.0)
    )
    x, targets = descriptors(), factory.frame.places(QUERIES, np.full(5, 30.0))
    expected = np.mean(head.loss(x[:4], targets[:4]))
    assert val_loss.measure(x) == pytest.approx(expected, rel=1e-5)


def test_photos_of_another_heading_do_not_count():
    queries = split_of(QUERIES, [30.0, 59.9, 29.9, 90.0, 30.0])
    val_loss, _, _ = build(
        HeadConfig("cross_entropy"), BINS, queries, np.full(16, 30.0)
    )
    assert [rows.tolist() for rows in val_loss.rows] == [[0, 1]]


def test_nothing_is_measured_without_photos_in_trained_classes():
    far = split_of(places([[900, 900]]))
    val_loss, _, _ = build(HeadConfig("cross_entropy"), CELLS, far)
    assert val_loss.num_photos == 0
    assert np.isnan(val_loss.measure(descriptors(1)))
