import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.keras_testing import run_layer_test
from vpr_tf.layers import FusedBatchNormalization


def random_features(shape=(3, 5, 4, 6)):
    rng = np.random.default_rng(0)
    return (rng.standard_normal(shape) * 3 + 1).astype("float32")


def with_random_weights(layer_class, **kwargs):
    layer = layer_class(momentum=0.9, epsilon=1e-5, **kwargs)
    layer.build((None, None, None, 6))
    rng = np.random.default_rng(1)
    layer.set_weights([rng.random(6) + 0.5 for _ in range(4)])
    return layer


def outputs_and_gradients(layer, x, training):
    variables = [layer.gamma.value, layer.beta.value]
    weights = np.random.default_rng(2).standard_normal(x.shape)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, training=training)
        total = tf.reduce_sum(tf.cast(y, "float32") * weights)
    return y, tape.gradient(total, [x, *variables])


def test_layer_basics():
    run_layer_test(
        FusedBatchNormalization,
        {"momentum": 0.8, "epsilon": 1e-4},
        call_kwargs={"training": True},
        input_shape=(2, 4, 5, 3),
        expected_output_shape=(2, 4, 5, 3),
        expected_num_trainable_weights=2,
        expected_num_non_trainable_weights=2,
    )


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("trainable", [False, True])
def test_values_and_gradients_equal_keras(training, trainable):
    x = tf.constant(random_features())
    results = []
    for layer_class in (FusedBatchNormalization, keras.layers.BatchNormalization):
        layer = with_random_weights(layer_class)
        layer.trainable = trainable
        y, gradients = outputs_and_gradients(layer, x, training)
        results.append([y, *gradients, layer.moving_mean])
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4)


def test_moving_statistics_equal_torch():
    x = random_features()
    layer = with_random_weights(FusedBatchNormalization)
    mean, variance = layer.moving_mean.numpy(), layer.moving_variance.numpy()
    layer(x, training=True)
    # torch: running = 0.9 * running + 0.1 * batch, with the unbiased variance.
    expected = 0.9 * mean + 0.1 * x.mean(axis=(0, 1, 2))
    np.testing.assert_allclose(layer.moving_mean, expected, rtol=1e-5)
    expected = 0.9 * variance + 0.1 * x.var(axis=(0, 1, 2), ddof=1)
    np.testing.assert_allclose(layer.moving_variance, expected, rtol=1e-5)


def test_one_value_per_channel_has_finite_statistics():
    layer = with_random_weights(FusedBatchNormalization)
    layer(random_features((1, 1, 1, 6)), training=True)
    assert np.isfinite(layer.moving_variance).all()


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("training", [False, True])
def test_mixed_precision_has_float32_statistics(policy, training):
    layer = with_random_weights(FusedBatchNormalization, dtype=policy)
    same_in_float32 = with_random_weights(FusedBatchNormalization)
    x = tf.cast(random_features(), layer.compute_dtype)
    y, gradients = outputs_and_gradients(layer, x, training)
    expected = same_in_float32(tf.cast(x, "float32"), training=training)
    assert y.dtype == x.dtype
    np.testing.assert_allclose(tf.cast(y, "float32"), expected, rtol=0.02, atol=0.02)
    np.testing.assert_allclose(
        layer.moving_variance, same_in_float32.moving_variance, rtol=1e-4
    )
    assert all(np.isfinite(tf.cast(g, "float32")).all() for g in gradients)


def test_float64_keeps_its_precision():
    layer = with_random_weights(FusedBatchNormalization, dtype="float64")
    x = random_features().astype("float64")
    gamma, beta, mean, variance = layer.get_weights()
    expected = (x - mean) / np.sqrt(variance + 1e-5) * gamma + beta
    np.testing.assert_allclose(layer(x), expected, rtol=1e-12)


def test_jit_compile_gives_the_same(tmp_path):
    x = tf.constant(random_features())
    plain, compiled = (with_random_weights(FusedBatchNormalization) for _ in range(2))
    expected = plain(x, training=True)
    function = tf.function(lambda x: compiled(x, training=True), jit_compile=True)
    np.testing.assert_allclose(function(x), expected, atol=1e-4)
    np.testing.assert_allclose(
        compiled.moving_variance, plain.moving_variance, rtol=1e-4
    )


def test_invalid_arguments():
    with pytest.raises(ValueError, match=r"needs scale and center.*axis=1"):
        FusedBatchNormalization(axis=1)
    with pytest.raises(ValueError, match="center=False"):
        FusedBatchNormalization(center=False)
    with pytest.raises(ValueError, match=r"\(batch, height, width, channels\)"):
        FusedBatchNormalization()(np.ones((2, 3), "float32"))
