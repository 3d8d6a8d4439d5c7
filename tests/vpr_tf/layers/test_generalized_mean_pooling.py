import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.keras_testing import run_layer_test
from vpr_tf.layers import GeneralizedMeanPooling2D


def random_features(shape=(2, 5, 4, 3), seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


def test_layer_basics():
    run_layer_test(
        GeneralizedMeanPooling2D,
        {"p": 2.5, "epsilon": 1e-5},
        input_data=random_features(),
        expected_output_shape=(2, 3),
        expected_num_trainable_weights=1,
        expected_num_non_trainable_weights=0,
    )


def test_values_and_gradients_equal_official(official_values):
    x = tf.constant(official_values["gem_x_nchw"].transpose(0, 2, 3, 1))
    layer = GeneralizedMeanPooling2D()
    layer.build(x.shape)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x)
        total = tf.reduce_sum(y)
    dx, dp = tape.gradient(total, [x, layer.p.value])
    np.testing.assert_allclose(y, official_values["gem_y"], rtol=1e-5)
    np.testing.assert_allclose(
        dx.numpy().transpose(0, 3, 1, 2),
        official_values["gem_dx"],
        rtol=1e-4,
        atol=1e-7,
    )
    np.testing.assert_allclose(dp, official_values["gem_dp"][0], rtol=1e-5)


@pytest.mark.parametrize("p", [1.0, 3.0, 6.5])
def test_values_equal_numpy(p):
    x = random_features()
    clipped = np.maximum(x.astype("float64"), 1e-6)
    expected = np.mean(clipped**p, axis=(1, 2)) ** (1 / p)
    np.testing.assert_allclose(GeneralizedMeanPooling2D(p)(x), expected, rtol=1e-5)


def test_large_exponent_approaches_the_maximum():
    x = np.abs(random_features())
    output = GeneralizedMeanPooling2D(p=60.0)(x)
    np.testing.assert_allclose(output, x.max(axis=(1, 2)), rtol=0.06)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_computes_in_float32(policy):
    # 1e-6 ** 3 is zero in float16, and its logarithm infinite.
    x = tf.constant(np.full((1, 3, 3, 2), 1e-7, "float32"))
    layer = GeneralizedMeanPooling2D(dtype=policy)
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(tf.cast(layer(x), "float32"))
    dx, dp = tape.gradient(total, [x, layer.p.value])
    assert keras.backend.standardize_dtype(layer.p.dtype) == "float32"
    assert np.isfinite(dx).all()
    assert np.isfinite(dp).all()
    np.testing.assert_allclose(float(total), 2e-6, rtol=0.05)


def test_invalid_arguments():
    with pytest.raises(ValueError, match=r"`p` must be positive.*p=0"):
        GeneralizedMeanPooling2D(p=0)
    with pytest.raises(ValueError, match="`epsilon` must be positive"):
        GeneralizedMeanPooling2D(epsilon=-1.0)
    with pytest.raises(ValueError, match=r"\(batch, height, width, channels\)"):
        GeneralizedMeanPooling2D()(np.ones((2, 3), "float32"))
