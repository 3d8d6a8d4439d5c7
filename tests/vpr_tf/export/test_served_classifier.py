"""The graph of a classifier against NumPy."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.vpr_tf.classification.tiny_classifier import (
    knowing_classifier,
    random_classifier,
    shared_table,
    street_table,
)
from vpr_tf.classification import (
    ClassificationError,
    GroupHead,
    PlaceClassifier,
    calibrate_predictor,
)
from vpr_tf.config import LocalizationConfig, Preprocessing
from vpr_tf.export.served_calibration import interpolated
from vpr_tf.export.served_classifier import ServedClassifier
from vpr_tf.localization import FittedOn, LocalizationError, estimate_positions

CONFIG = Preprocessing(resize="square", image_size=8)


@functools.cache
def network(dim):
    images = keras.Input((None, None, 3))
    model = keras.Model(images, keras.layers.Dense(dim)(images)[:, 0, 0])
    model.descriptor_dim = dim
    return model


def serve(classifier, descriptors, calibration=None, num_places=7):
    served = ServedClassifier(
        network(classifier.descriptor_dim), classifier, CONFIG, num_places, calibration
    )
    found = served.locate(tf.constant(descriptors))
    return {name: value.numpy() for name, value in found.items()}


def check_equal(classifier, descriptors, calibration=None, num_places=7):
    """Compares all outputs with those of NumPy; returns them."""
    found = serve(classifier, descriptors, calibration, num_places)
    predictions = classifier.predict(descriptors, 20)
    estimates = estimate_positions(
        predictions, classifier.settings(20), calibration=calibration
    )
    count = min(num_places, len(classifier.table))
    rows = predictions.rows[:, :count]
    # Scores this near may change their order by rounding; random ones are not.
    for name in ("latitude", "longitude"):
        expected = getattr(classifier.table.positions, f"{name}_deg")[rows]
        assert found[name].dtype == np.float64
        np.testing.assert_array_equal(found[name], expected)
    expected = predictions.scores[:, :count]
    np.testing.assert_allclose(found["score"], expected, rtol=3e-5, atol=1e-6)
    for name in ("confidence", "expected_error_m", "spread_m"):
        expected = getattr(predictions if name == "spread_m" else estimates, name)
        np.testing.assert_allclose(found[name], expected, rtol=2e-3, atol=1e-4)
    return found


@pytest.mark.parametrize("hidden", [0, 2])
@pytest.mark.parametrize("score", ["raw", "cosine", "softmax"])
@pytest.mark.parametrize("kind", ["cosine", "linear", "mixture"])
def test_graph_equals_numpy(kind, score, hidden):
    num_groups = 1 if kind == "mixture" else 4
    table = street_table(30, num_groups)
    classifier = random_classifier(table, 6, kind, score, hidden, seed=hidden)
    descriptors = np.random.default_rng(9).normal(size=(5, 6)).astype(np.float32)
    found = check_equal(classifier, descriptors)
    assert np.isnan(found["confidence"]).all()
    assert np.isnan(found["spread_m"]).all() == (num_groups == 1)


def test_products_over_groups_equal_numpy():
    classifier = random_classifier(shared_table(30), 6, "linear", "raw")
    descriptors = np.random.default_rng(9).normal(size=(5, 6)).astype(np.float32)
    found = check_equal(classifier, descriptors)
    assert np.isnan(found["spread_m"]).all()


@pytest.mark.parametrize("score", ["cosine", "softmax"])
def test_confidence_equals_numpy(score):
    classifier, photos = knowing_classifier(street_table(60), score=score)
    descriptors, truth, _ = photos(150, 1)
    calibration = calibrate_predictor(
        classifier,
        descriptors,
        truth,
        LocalizationConfig(),
        FittedOn("val", 25.0, "e"),
    )
    found = check_equal(classifier, photos(40, 2)[0], calibration, num_places=3)
    assert np.ptp(found["confidence"]) > 0.2
    with pytest.raises(LocalizationError, match=r"score=.* Received: raw"):
        serve(classifier.with_score("raw"), descriptors, calibration)


def test_ties_are_ordered_by_the_lowest_place():
    table = street_table(8, 4)
    heads = tuple(GroupHead("linear", np.ones((2, 2), np.float32)) for _ in range(4))
    classifier = PlaceClassifier(table, heads, "raw")
    found = check_equal(classifier, np.ones((1, 2), np.float32), num_places=5)
    assert (found["score"] == 2).all()


def test_groups_in_any_order_of_places():
    table = street_table(12, 3)
    order = np.random.default_rng(0).permutation(12)
    shuffled = type(table)(
        table.positions.take(order),
        table.heading_deg,
        table.members[order],
        table.cell[order],
        table.cells,
        table.combine,
    )
    assert not np.array_equal(np.concatenate(shuffled.places_of_groups), np.arange(12))
    check_equal(random_classifier(shuffled), np.eye(6, dtype=np.float32))


def test_fewer_places_than_asked_for():
    classifier = random_classifier(street_table(3, 1))
    found = check_equal(classifier, np.eye(6, dtype=np.float32), num_places=20)
    assert found["latitude"].shape == (6, 3)


def test_heads_of_another_encoder_are_refused():
    classifier = random_classifier(street_table(4, 2))
    with pytest.raises(ClassificationError, match="heads for 6"):
        ServedClassifier(network(5), classifier, CONFIG, 3)
    with pytest.raises(ClassificationError, match="Received: 0"):
        ServedClassifier(network(6), classifier, CONFIG, 0)


def test_curves_are_those_of_numpy():
    at, values = [-1.0, 0.0, 0.0, 2.0], [1.0, 2.0, 5.0, 7.0]
    x = np.array([-9.0, -1.0, -0.5, -1e-12, 0.0, 1.0, 2.0, 9.0])
    found = interpolated(tf.constant(x), at, values).numpy()
    np.testing.assert_allclose(found, np.interp(x, at, values))
    single = interpolated(tf.constant(x), [3.0], [4.0]).numpy()
    np.testing.assert_array_equal(single, np.full(8, 4.0))


def test_tables_are_variables_and_not_part_of_the_graph():
    classifier = random_classifier(street_table(2000), 64)
    served = ServedClassifier(network(64), classifier, CONFIG, 5)
    descriptors = tf.TensorSpec((None, 64), tf.float32)
    graph = tf.function(served.locate).get_concrete_function(descriptors).graph
    assert 20 * graph.as_graph_def().ByteSize() < 2000 * 64 * 4
