import numpy as np
import pytest
import tensorflow as tf

from tests.keras_testing import run_layer_test
from vpr_tf.layers import GradientReversal


def test_layer_basics():
    run_layer_test(
        GradientReversal,
        {"factor": 0.5},
        input_shape=(2, 3),
        expected_output_shape=(2, 3),
        expected_num_trainable_weights=0,
        supports_masking=True,
        run_training_check=False,  # there is nothing to train
        assert_built_after_instantiation=True,
    )


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("factor", [0.0, 1.0, 2.5])
def test_values_pass_and_gradients_turn_around(factor, jit_compile):
    layer = GradientReversal(factor)
    x = tf.constant([[1.0, -2.0], [0.5, 3.0]])

    @tf.function(jit_compile=jit_compile)
    def compute(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
            total = tf.reduce_sum(y**2)
        return y, tape.gradient(total, x)

    y, gradient = compute(x)
    np.testing.assert_array_equal(y, x)
    np.testing.assert_allclose(gradient, -factor * 2 * x)


@pytest.mark.parametrize("factor", [-1.0, float("nan"), float("inf")])
def test_a_factor_that_is_none_is_refused(factor):
    with pytest.raises(ValueError, match="`factor` must be 0 or more"):
        GradientReversal(factor)
