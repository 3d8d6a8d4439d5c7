import numpy as np
import pytest
import tensorflow as tf

from tests.keras_testing import check_saving, run_layer_test
from vpr_tf.layers import (
    DirectRegressionHead,
    HypersphereRegressionHead,
    UnitRegressionHead,
    hypersphere_to_place,
    place_to_hypersphere,
)

EXTENT_M = 8000.0
heads = pytest.mark.parametrize(
    "head_class",
    [DirectRegressionHead, UnitRegressionHead, HypersphereRegressionHead],
)


def random_descriptors(batch=6, dim=5):
    return np.random.default_rng(0).standard_normal((batch, dim)).astype("float32")


def random_places(batch=6):
    rng = np.random.default_rng(1)
    heading = rng.uniform(0, 2 * np.pi, batch)
    positions = rng.uniform(-EXTENT_M / 2, EXTENT_M / 2, (batch, 2))
    places = np.column_stack([positions, np.sin(heading), np.cos(heading)])
    return places.astype("float32")


def differences_of(head_class, outputs, places):
    """From what stands for the places, in float64."""
    outputs, places = outputs.astype("float64"), places.astype("float64")
    if head_class is DirectRegressionHead:
        return outputs - places / [EXTENT_M / 2, EXTENT_M / 2, 1, 1]
    if head_class is UnitRegressionHead:
        east_north = places[:, :2] / EXTENT_M + 0.5
        heading = np.arctan2(places[:, 2], places[:, 3]) / (2 * np.pi) % 1
        return 1 / (1 + np.exp(-outputs)) - np.column_stack([east_north, heading])
    points = outputs / np.linalg.norm(outputs, axis=1, keepdims=True)
    return points - place_to_hypersphere(places, EXTENT_M)


def errors_of(head_class, outputs, places):
    """Squared errors of position and heading, in float64."""
    if head_class is not HypersphereRegressionHead:
        error = differences_of(head_class, outputs, places)
        return np.sum(error[:, :2] ** 2, axis=1), np.sum(error[:, 2:] ** 2, axis=1)
    outputs, places = outputs.astype("float64"), places.astype("float64")
    points = outputs / np.linalg.norm(outputs, axis=1, keepdims=True)
    expected = place_to_hypersphere(places, EXTENT_M)
    # Turned to the expected heading, only the error of the position is left.
    turned = points.copy()
    directions = expected[:, 2:] / np.linalg.norm(expected[:, 2:], axis=1)[:, None]
    turned[:, 2:] = directions * np.linalg.norm(points[:, 2:], axis=1)[:, None]
    position = np.sum((turned - expected) ** 2, axis=1)
    return position, np.sum((points - expected) ** 2, axis=1) - position


@heads
def test_layer_basics(head_class):
    run_layer_test(
        head_class,
        {"extent_m": 100.0, "loss_kind": "l2", "hidden_layers": 1, "seed": 3},
        input_shape=(2, 5),
        expected_output_shape=(2, 4),
        expected_output_dtype="float32",
        expected_num_trainable_weights=4,
        # Places stay float32 under mixed precision, which that check forbids.
        run_mixed_precision_check=False,
    )


@heads
def test_losses_equal_numpy(head_class):
    x, places = random_descriptors(), random_places()
    head = head_class(EXTENT_M, seed=1)
    weighted = head_class(EXTENT_M, loss_kind="learned_weight", seed=1)
    weighted.build(x.shape)
    weighted.log_variances.assign([-1.5, 0.5])
    losses = head.loss(x, places)
    arrays = head.arrays()
    outputs = x @ arrays["kernel"] + arrays["bias"]
    position, heading = errors_of(head_class, outputs, places)
    np.testing.assert_allclose(losses, position + heading, rtol=1e-4)
    np.testing.assert_allclose(
        weighted.loss(x, places),
        np.exp(1.5) * position - 1.5 + np.exp(-0.5) * heading + 0.5,
        rtol=1e-4,
    )


@heads
def test_absolute_errors_equal_numpy(head_class):
    x, places = random_descriptors(), random_places()
    places[0, 2:] = 0  # an unknown heading
    head = head_class(EXTENT_M, loss_kind="l1", seed=1)
    outputs = head(x, decode=False).numpy()
    error = np.abs(differences_of(head_class, outputs, places))
    error[0, 2:] = 0
    np.testing.assert_allclose(head.loss(x, places), error.sum(axis=1), rtol=1e-4)


def test_angles_of_the_hypersphere_reach_loss_and_places():
    x, places = random_descriptors(), random_places()
    head = HypersphereRegressionHead(EXTENT_M, angles_deg=(15, 45), seed=1)
    outputs = head(x, decode=False).numpy()
    points = outputs / np.linalg.norm(outputs, axis=1, keepdims=True)
    expected = place_to_hypersphere(places, EXTENT_M, np, (15, 45))
    squared = np.sum((points - expected) ** 2, axis=1)
    np.testing.assert_allclose(head.loss(x, places), squared, rtol=1e-3)
    np.testing.assert_allclose(
        head(x), hypersphere_to_place(outputs, EXTENT_M, np, (15, 45)), rtol=1e-3
    )
    assert head.get_config()["angles_deg"] == [15, 45]
    with pytest.raises(ValueError, match=r"`angles_deg` must be two angles"):
        HypersphereRegressionHead(EXTENT_M, angles_deg=(45, 15))


def test_shares_count_from_the_western_and_southern_edge_and_from_north():
    quarter = np.array([[-EXTENT_M / 4, EXTENT_M / 4, 1, 0]], "float32")
    turn = 2 * np.pi / 360
    north = [[0, 0, np.sin(deg * turn), np.cos(deg * turn)] for deg in (359, 1)]
    head = UnitRegressionHead(EXTENT_M)
    head.build((None, 3))
    head.kernel.assign(np.eye(3))
    logits = np.log([[1 / 3, 3.0, 1 / 3]]).astype("float32")  # of 1/4, 3/4, 1/4
    np.testing.assert_allclose(head(logits), quarter, atol=1e-2)
    np.testing.assert_allclose(head.loss(logits, quarter), [0], atol=1e-9)
    right = np.array([[0, 0, np.log(359.0)]] * 2, "float32")
    np.testing.assert_allclose(
        head.loss(right, np.array(north, "float32")), [0, (358 / 360) ** 2], atol=1e-5
    )


@heads
@pytest.mark.parametrize("loss_kind", ["l2", "learned_weight"])
def test_unknown_headings_add_nothing(head_class, loss_kind):
    x, places = random_descriptors(), random_places()
    places[:, 2:] = 0
    head = head_class(EXTENT_M, loss_kind=loss_kind, seed=1)
    outputs = head(x, decode=False).numpy()
    if head_class is not HypersphereRegressionHead:
        expected, _ = errors_of(head_class, outputs, places)
    else:
        places[:, 2:] = head(x)[:, 2:]
        expected, heading = errors_of(head_class, outputs, places)
        np.testing.assert_allclose(heading, 0, atol=1e-5)
        places[:, 2:] = 0
    np.testing.assert_allclose(head.loss(x, places), expected, rtol=1e-4, atol=1e-6)


@heads
def test_training_finds_the_places(head_class):
    places = random_places(5)
    x = np.eye(5, dtype="float32")
    head = head_class(EXTENT_M, loss_kind="learned_weight", seed=1)
    head.build(x.shape)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(head.loss(x, places))
        return tape.gradient(loss, [head.kernel.value, head.bias.value])

    # The slope of a sigmoid is a quarter at most.
    rate, steps = (5.0, 2000) if head_class is UnitRegressionHead else (0.3, 100)
    for _ in range(steps):
        for variable, gradient in zip((head.kernel, head.bias), step(), strict=True):
            variable.assign_sub(rate * gradient)
    found = head(x).numpy()
    np.testing.assert_allclose(found[:, :2], places[:, :2], atol=40)
    np.testing.assert_allclose(found[:, 2:], places[:, 2:], atol=0.02)


@heads
def test_gradient_at_the_target_and_at_zero_is_finite(head_class):
    head = head_class(EXTENT_M)
    head.build((None, 4))
    head.kernel.assign(np.eye(4)[:, : head.outputs_per_place])
    places = random_places(3)
    x = tf.constant(place_to_hypersphere(places, EXTENT_M) * [[1], [1], [0]], "float32")
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.reduce_sum(head.loss(x, places))
    assert np.isfinite(tape.gradient(loss, x)).all()


@heads
def test_places_of_arrays_equal_the_layer(head_class):
    x = random_descriptors()
    head = head_class(EXTENT_M, loss_kind="learned_weight", seed=1)
    places = head(x)
    arrays = head.arrays()
    assert sorted(arrays) == ["bias", "extent_m", "kernel"]
    outputs = x @ arrays["kernel"] + arrays["bias"]
    if head_class is HypersphereRegressionHead:
        expected = hypersphere_to_place(outputs, arrays["extent_m"])
    elif head_class is UnitRegressionHead:
        shares = 1 / (1 + np.exp(-outputs))
        positions = (shares[:, :2] - 0.5) * arrays["extent_m"]
        heading = 2 * np.pi * shares[:, 2]
        expected = np.column_stack([positions, np.sin(heading), np.cos(heading)])
    else:
        lengths = np.linalg.norm(outputs[:, 2:], axis=1, keepdims=True)
        positions = outputs[:, :2] * arrays["extent_m"] / 2
        expected = np.hstack([positions, outputs[:, 2:] / lengths])
    np.testing.assert_allclose(places, expected, rtol=1e-4, atol=0.01)


@heads
def test_save_and_load(head_class, tmp_path):
    # The comparison is of unit lengths, not of metres.
    check_saving(head_class(2.0, "learned_weight"), random_descriptors(), tmp_path)


@heads
def test_invalid_arguments(head_class):
    with pytest.raises(ValueError, match=r"`extent_m` must be positive.*=0"):
        head_class(0)
    with pytest.raises(ValueError, match=r"`loss_kind` must be one of .*'l3'"):
        head_class(100.0, loss_kind="l3")
