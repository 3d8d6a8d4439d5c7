import numpy as np
import pytest

from tests.keras_testing import (
    check_gradients_in_float16,
    check_saving,
    run_layer_test,
)
from vpr_tf.layers import NetVLAD


def random_features(shape=(2, 5, 4, 3), seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def netvlad(x, assignment, centroids, normalize_input=True):
    """One image and one location at a time, as the paper writes it."""
    descriptors = []
    for image in x.astype("float64"):
        sums = np.zeros(centroids.shape)
        for feature in image.reshape(-1, image.shape[-1]):
            feature = unit(feature) if normalize_input else feature
            logits = feature @ assignment
            weights = np.exp(logits - logits.max())
            weights /= weights.sum()
            sums += weights[:, None] * (feature - centroids)
        descriptors.append(unit(unit(sums).reshape(-1)))
    return np.array(descriptors)


@pytest.fixture
def layer():
    layer = NetVLAD(4)
    layer.build((None, None, None, 6))
    return layer


def test_layer_basics():
    run_layer_test(
        NetVLAD,
        {"num_clusters": 4, "normalize_input": False},
        input_data=random_features(),
        expected_output_shape=(2, 12),
        expected_num_trainable_weights=2,
        expected_num_non_trainable_weights=0,
    )


@pytest.mark.parametrize("normalize_input", [True, False])
def test_values_equal_numpy(normalize_input):
    x = random_features()
    layer = NetVLAD(4, normalize_input)
    layer.build(x.shape)
    layer.assignment.assign(random_features((3, 4), 1))
    layer.centroids.assign(random_features((4, 3), 2))
    expected = netvlad(
        x, layer.assignment.numpy(), layer.centroids.numpy(), normalize_input
    )
    np.testing.assert_allclose(layer(x), expected, atol=1e-5)


def test_gradients_in_float16():
    check_gradients_in_float16(NetVLAD, (4, 3, 5), num_clusters=3)


def test_save_and_load(tmp_path):
    check_saving(NetVLAD(4), random_features(), tmp_path)


# === Initial clusters ===


def clustered_features(num_per_cluster=50):
    """Four directions with some noise, of any length."""
    rng = np.random.default_rng(0)
    directions = unit(rng.standard_normal((4, 6)))
    features = np.repeat(directions, num_per_cluster, axis=0)
    features = unit(features + rng.normal(0, 0.05, features.shape))
    lengths = rng.uniform(0.5, 20, (len(features), 1))
    return directions, (features * lengths).astype("float32")


def test_clusters_are_found_in_features(layer):
    assert layer.clusters_are_random
    directions, features = clustered_features()
    layer.initialize_clusters(features)
    assert not layer.clusters_are_random
    nearness = unit(layer.centroids.numpy()) @ directions.T
    assert sorted(nearness.argmax(axis=1)) == [0, 1, 2, 3]
    assert nearness.max(axis=1).min() > 0.99


def test_nearest_cluster_weighs_a_hundred_times_as_much(layer):
    _, features = clustered_features()
    layer.initialize_clusters(features)
    logits = np.sort(unit(features) @ layer.assignment.numpy(), axis=1)
    ratio = np.exp(np.mean(logits[:, -1] - logits[:, -2]))
    np.testing.assert_allclose(ratio, 100, rtol=1e-4)
    np.testing.assert_allclose(
        unit(layer.assignment.numpy().T), unit(layer.centroids.numpy()), atol=1e-6
    )


def test_clusters_are_the_same_for_a_seed():
    def weights(seed):
        layer = NetVLAD(3, normalize_input=False)
        layer.build((None, None, None, 6))
        layer.initialize_clusters(random_features((300, 6)), seed)
        return layer.get_weights()

    for first, second, other in zip(weights(1), weights(1), weights(2), strict=True):
        np.testing.assert_array_equal(first, second)
        assert not np.array_equal(first, other)


def test_new_layers_are_equal_whatever_the_seed():
    layers = [NetVLAD(4), NetVLAD(4)]
    for layer in layers:
        layer.build((None, None, None, 6))
    np.testing.assert_array_equal(layers[0].assignment, layers[1].assignment)
    layers[0].centroids.assign(layers[0].centroids * 1.0001)
    assert not layers[0].clusters_are_random
    assert layers[1].clusters_are_random


# === Invalid arguments ===


def test_invalid_arguments():
    with pytest.raises(ValueError, match=r"`num_clusters` must be 2 or more.*=1"):
        NetVLAD(num_clusters=1)
    with pytest.raises(ValueError, match=r"NetVLAD takes feature maps.*\(2, 3\)"):
        NetVLAD()(np.ones((2, 3), "float32"))
    with pytest.raises(ValueError, match="after the layer is built"):
        NetVLAD().initialize_clusters(np.ones((9, 3)))


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (np.ones((9, 5)), r"must have shape \(num_features, 6\).*\(9, 5\)"),
        (np.full((9, 6), np.nan), "must be finite. Received: NaN"),
        (random_features((3, 6)), "as many different features. Received: 3"),
        (np.ones((99, 6)), "Received: 1. Use more images"),
        (np.eye(6)[:4].repeat(9, 0) * 0, "Received: 1. Use more images"),
    ],
)
def test_features_that_make_no_clusters_are_refused(layer, features, message):
    before = layer.get_weights()
    with pytest.raises(ValueError, match=message):
        layer.initialize_clusters(features)
    np.testing.assert_array_equal(layer.get_weights()[1], before[1])


def test_clusters_of_one_direction_are_refused():
    layer = NetVLAD(2, normalize_input=False)
    layer.build((None, None, None, 3))
    features = np.linspace(1, 9, 20)[:, None] * np.array([1, 0, 0])
    with pytest.raises(ValueError, match="must have different directions"):
        layer.initialize_clusters(features)
