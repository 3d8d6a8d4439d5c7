import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.keras_testing import run_layer_test
from vpr_tf.layers import L2Normalization


def gradient_of_first_column(layer, x, jit_compile=False):
    @tf.function(jit_compile=jit_compile)
    def compute(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            total = tf.reduce_sum(layer(x)[:, 0])
        return tape.gradient(total, x)

    return compute(x).numpy()


def test_layer_basics():
    run_layer_test(
        L2Normalization,
        {"axis": -1},
        input_shape=(2, 4, 5, 3),
        expected_output_shape=(2, 4, 5, 3),
        expected_num_trainable_weights=0,
        supports_masking=True,
        run_training_check=False,  # there is nothing to train
        assert_built_after_instantiation=True,
    )


def test_values_equal_official(official_values):
    np.testing.assert_allclose(
        L2Normalization()(official_values["l2_x"]), official_values["l2_y"], atol=1e-7
    )


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_values_equal_numpy(axis):
    x = np.random.default_rng(0).standard_normal((4, 3, 5)).astype("float32")
    expected = x / np.linalg.norm(x, axis=axis, keepdims=True)
    np.testing.assert_allclose(L2Normalization(axis)(x), expected, rtol=1e-5)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_gradient_is_that_of_the_formula(jit_compile):
    x = tf.constant([[1.0, 2.0, 2.0], [0.0, 0.0, 0.0], [1e-13, 0.0, 0.0]])
    gradient = gradient_of_first_column(L2Normalization(), x, jit_compile)
    # (|x|^2 e_0 - x x_0) / |x|^3, and e_0 / epsilon for the short vectors.
    expected = [[8 / 27, -2 / 27, -2 / 27], [1e12, 0.0, 0.0], [1e12, 0.0, 0.0]]
    np.testing.assert_allclose(gradient, expected, rtol=1e-5)


def test_gradient_at_zero_after_float16_relu_is_finite():
    layer = L2Normalization(dtype="float32")
    x = tf.constant([[0.0, 0.0, 0.0], [1.0, 2.0, 2.0]], tf.float16)
    gradient = gradient_of_first_column(lambda x: layer(tf.nn.relu(x)), x)
    assert np.isfinite(gradient).all()
    np.testing.assert_allclose(gradient[1], [8 / 27, -2 / 27, -2 / 27], rtol=1e-3)


def test_float16_values_are_computed_in_float32():
    # The squares overflow float16.
    output = L2Normalization(dtype="mixed_float16")(np.array([[3e4, 4e4]], "float32"))
    assert keras.backend.standardize_dtype(output.dtype) == "float16"
    np.testing.assert_allclose(output, [[0.6, 0.8]], rtol=1e-3)


def test_invalid_arguments():
    with pytest.raises(TypeError, match="`axis` must be an int"):
        L2Normalization(axis=(1, 2))
    with pytest.raises(ValueError, match="`epsilon` must be positive"):
        L2Normalization(epsilon=0.0)
