import types

import numpy as np
import pytest

from tests.vpr_tf.classification.tables import Columns, partition_of, places
from vpr_tf.classification import ClassTable
from vpr_tf.config import (
    AngularMarginHeadConfig,
    ConfigError,
    CosPlaceConfig,
    HeadConfig,
    MarginHeadConfig,
    PlaceHeadConfig,
    SoftLabelHeadConfig,
    config_from_values,
)
from vpr_tf.training.heads import HeadFactory, classifier_from_heads

POINTS = places([[5, 5], [5, 5], [15, 5], [25, 5]])
HEADINGS = [30.0, 100.0, 30.0, 30.0]


@pytest.fixture
def columns():
    split = Columns(POINTS, HEADINGS)
    return types.SimpleNamespace(
        positions=lambda: POINTS, column=split.column, columns=split
    )


def factory_of(head_config, columns) -> HeadFactory:
    config = CosPlaceConfig(cell_stride=1, heading_stride=1, min_images_per_class=1)
    return HeadFactory.of(head_config, partition_of(columns.columns, config), columns)


def classifier_of(head, factory, columns, score=None):
    table = ClassTable.from_partition(factory.partition, columns.columns)
    values = {
        "name": "x",
        "dataset": {"path": "x"},
        "train": {"head": {"name": factory.config.name}},
        "classification": {"score": score},
    }
    return classifier_from_heads([head], factory, table, config_from_values(values))


@pytest.mark.parametrize(
    ("head_config", "score"),
    [
        (HeadConfig("cross_entropy"), "softmax"),
        (SoftLabelHeadConfig(), "softmax"),
        (MarginHeadConfig(), "cosine"),
        (AngularMarginHeadConfig(), "cosine"),
        (PlaceHeadConfig("von_mises_fisher"), "cosine"),  # gives its density
    ],
)
def test_each_kind_of_head_is_scored_as_it_was_trained(head_config, score, columns):
    factory = factory_of(head_config, columns)
    head = factory.create(0)
    head.build((None, 6))
    assert classifier_of(head, factory, columns).score == score
    assert classifier_of(head, factory, columns, "raw").score == "raw"


def test_a_linear_head_ranks_by_its_norms_and_biases(columns):
    factory = factory_of(HeadConfig("cross_entropy"), columns)
    head = factory.create(0)
    head.build((None, 6))
    rng = np.random.default_rng(0)
    head.kernel.assign(rng.normal(size=(6, 4)) * [0.1, 1, 3, 10])
    head.bias.assign([4.0, 0.0, -1.0, 0.0])
    classifier = classifier_of(head, factory, columns)
    x = rng.normal(size=(50, 6)).astype("float32")
    logits = np.asarray(head(x))
    found = classifier.predict(x, 4).rows
    np.testing.assert_array_equal(found, np.argsort(-logits, axis=1))
    by_cosine = classifier.with_score("cosine").predict(x, 4).rows
    assert (found[:, 0] != by_cosine[:, 0]).any()


@pytest.mark.parametrize("easy_margin", [True, False])
def test_the_easy_margin_reaches_the_head(easy_margin, columns):
    config = AngularMarginHeadConfig(easy_margin=easy_margin)
    assert factory_of(config, columns).create(0).easy_margin is easy_margin


@pytest.mark.parametrize(("spread", "expected"), [(False, 0.0), (True, 0.5)])
def test_soft_labels_of_a_heading_between_two_bins(spread, expected):
    points = places([[5, 5], [5, 5]])
    split = Columns(points, [30.0, 0.0])
    columns = types.SimpleNamespace(
        positions=lambda: points, column=split.column, columns=split
    )
    factory = factory_of(SoftLabelHeadConfig(spread_headings=spread), columns)
    head = factory.create(0)
    head.build((None, 6))
    head.kernel.assign(np.zeros((6, 2)))
    assert factory.partition.classes["heading_bin_deg"].tolist() == [0, 30]
    head.bias.assign([0.0, 20.0])
    loss = head.loss(np.zeros((1, 6), "float32"), factory.targets[:1])
    # The share of the bin before is what the certain head lacks.
    assert float(loss[0]) == pytest.approx(20 * expected, abs=0.01)


def test_soft_labels_of_a_bin_for_360_degrees_are_refused():
    points = places([[5, 5], [5, 5]])
    split = Columns(points, [0.0, 360.0])
    columns = types.SimpleNamespace(positions=lambda: points, column=split.column)
    config = CosPlaceConfig(
        cell_stride=1, heading_stride=1, min_images_per_class=1, heading_360="own_bin"
    )
    partition = partition_of(split, config)
    factory = HeadFactory.of(SoftLabelHeadConfig(), partition, columns)
    with pytest.raises(ConfigError, match="heading_360: zero"):
        factory.create(0)
