import numpy as np
import pytest
import tensorflow as tf
from scipy.special import logsumexp
from scipy.stats import vonmises_fisher

from tests.keras_testing import check_saving, run_layer_test
from vpr_tf.layers import MixtureOfVonMisesFisherHead

EARTH_RADIUS_M = 6_371_008.8


def random_descriptors(batch=6, dim=5):
    return np.random.default_rng(0).standard_normal((batch, dim)).astype("float32")


def points_on_sphere(positions_m):
    """Unit vectors of places by distance and direction from the middle of the map."""
    distances = np.linalg.norm(positions_m, axis=1, keepdims=True)
    angles = distances / EARTH_RADIUS_M
    directions = positions_m / np.maximum(distances, 1e-9)
    return np.hstack([np.sin(angles) * directions, np.cos(angles)])


def log_density_per_steradian(mean, kappa, points):
    """Closed form for three dimensions; SciPy has NaN for kappa above 1e9."""
    norm = np.log(kappa) - np.log(2 * np.pi) - np.log1p(-np.exp(-2 * kappa))
    return norm + kappa * (points @ mean - 1)


@pytest.mark.parametrize("deviation_m", [210.0, 2000.0, 4e6])
def test_closed_form_equals_scipy(deviation_m):
    kappa = (EARTH_RADIUS_M / deviation_m) ** 2
    points = points_on_sphere(np.random.default_rng(1).uniform(-1e4, 1e4, (9, 2)))
    np.testing.assert_allclose(
        log_density_per_steradian(points[0], kappa, points),
        vonmises_fisher(points[0], kappa).logpdf(points),
        atol=1e-5,
    )


def trained_head(x, means_m, deviations_m):
    """A head whose means and deviations have moved from where they started."""
    head = MixtureOfVonMisesFisherHead(means_m + 7.0, start_deviation_m=30.0, seed=1)
    head.build(x.shape)
    head.mean_offsets.assign(np.full(means_m.shape, -7.0 / 30))
    head.log_variances.assign(np.log(deviations_m**2 - 1))
    head.bias.assign(np.linspace(-1, 1, len(means_m)))
    return head


def test_layer_basics():
    run_layer_test(
        MixtureOfVonMisesFisherHead,
        {"class_centres": [[0.0, 10.0], [500.0, 20.0]], "start_deviation_m": 20.0},
        input_shape=(2, 5),
        expected_output_shape=(2, 2),
        expected_output_dtype="float32",
        expected_num_trainable_weights=4,
        # Logits stay float32 under mixed precision, which that check forbids.
        run_mixed_precision_check=False,
        # It fits the logits, which do not depend on the components.
        run_training_check=False,
    )


def test_density_equals_that_on_the_sphere():
    rng = np.random.default_rng(2)
    x = random_descriptors()
    means = rng.uniform(-10_000, 10_000, (4, 2))
    deviations = np.array([3.0, 20.0, 100.0, 2000.0])
    places = np.zeros((6, 4))
    places[:4, :2] = means + deviations[:, None] * rng.standard_normal((4, 2))
    places[4:, :2] = rng.uniform(-10_000, 10_000, (2, 2))
    head = trained_head(x, means, deviations)
    logits = x @ head.arrays()["kernel"] + head.arrays()["bias"]
    log_weights = logits - logsumexp(logits, axis=1, keepdims=True)
    points = points_on_sphere(places[:, :2])
    components = [
        log_density_per_steradian(mean, (EARTH_RADIUS_M / deviation) ** 2, points)
        for mean, deviation in zip(points_on_sphere(means), deviations, strict=True)
    ]
    per_steradian = logsumexp(log_weights + np.transpose(components), axis=1)
    expected = per_steradian - 2 * np.log(EARTH_RADIUS_M)
    np.testing.assert_allclose(head.log_density(x, places), expected, atol=0.01)
    np.testing.assert_allclose(head.loss(x, places), -expected, atol=0.01)


def test_density_integrates_to_one():
    x = random_descriptors(1)
    head = trained_head(x, np.array([[0.0, 0.0], [60.0, 30.0]]), np.array([10.0, 20.0]))
    axis = np.arange(-150, 250, 2.0)
    positions = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    log_density = head.log_density(np.repeat(x, len(positions), axis=0), positions)
    np.testing.assert_allclose(np.exp(log_density).sum() * 4, 1, rtol=1e-3)


def test_starts_at_the_class_centres():
    centres = np.random.default_rng(3).uniform(-9000, 9000, (5, 2))
    head = MixtureOfVonMisesFisherHead(centres, 25.0)
    head.build((None, 4))
    arrays = head.arrays()
    np.testing.assert_allclose(arrays["component_means_m"], centres, atol=1e-3)
    np.testing.assert_allclose(arrays["component_deviations_m"], 25.0, rtol=1e-5)
    assert sorted(arrays) == [
        "bias",
        "component_deviations_m",
        "component_means_m",
        "kernel",
    ]


def test_gradients_equal_differences_and_are_finite_far_away():
    x = random_descriptors(2)
    means, deviations = np.array([[0.0, 0.0], [50.0, 0.0]]), np.array([20.0, 40.0])
    head = trained_head(x, means, deviations)
    variables = [v.value for v in head.trainable_variables]

    @tf.function
    def loss_and_gradients(places):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(head.loss(x, places))
        return loss, tape.gradient(loss, variables)

    near = tf.constant([[10.0, 5, 0, 0], [40.0, -20, 0, 0]])
    _, gradients = loss_and_gradients(near)
    for variable, gradient in zip(head.trainable_variables, gradients, strict=True):
        values, step = variable.numpy(), np.zeros(variable.shape, "float32")
        step.flat[0] = 0.05
        variable.assign(values + step)
        above = loss_and_gradients(near)[0]
        variable.assign(values - step)
        difference = float(above - loss_and_gradients(near)[0]) / 0.1
        variable.assign(values)
        np.testing.assert_allclose(np.ravel(gradient)[0], difference, rtol=0.02)
    head.log_variances.assign([-80.0, -80.0])
    _, gradients = loss_and_gradients(tf.constant([[0.0, 0, 0, 0], [1e4, -1e4, 0, 0]]))
    assert all(np.isfinite(gradient).all() for gradient in gradients)


def test_save_and_load(tmp_path):
    head = MixtureOfVonMisesFisherHead(np.array([[0.0, 10.0], [500.0, 20.0]]), 20.0)
    check_saving(head, random_descriptors(), tmp_path)


def test_invalid_arguments():
    with pytest.raises(ValueError, match=r"`start_deviation_m` must be above.*=0.5"):
        MixtureOfVonMisesFisherHead([[0, 0]], 0.5)
    with pytest.raises(ValueError, match=r"shape \(num_classes, 2\).*\(1, 3\)"):
        MixtureOfVonMisesFisherHead([[0, 0, 0]], 20.0)
