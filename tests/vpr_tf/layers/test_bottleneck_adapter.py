import numpy as np
import pytest

from tests.keras_testing import run_layer_test
from vpr_tf.layers import BottleneckAdapter


def test_layer_basics():
    run_layer_test(
        BottleneckAdapter,
        {"hidden_dim": 3},
        input_shape=(2, 4, 5),
        expected_output_shape=(2, 4, 5),
        expected_num_trainable_weights=6,
        supports_masking=False,
    )


def test_values_equal_numpy():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 4, 5)).astype("float32")
    layer = BottleneckAdapter(3)
    np.testing.assert_array_equal(layer(x), x)
    values = [rng.standard_normal(v.shape) for v in layer.weights]
    layer.set_weights(values)
    gamma, beta, down, down_bias, up, up_bias = values
    scaled = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-6)
    hidden = np.maximum((scaled * gamma + beta) @ down + down_bias, 0)
    np.testing.assert_allclose(layer(x), x + hidden @ up + up_bias, atol=1e-4)


def test_no_width_is_refused():
    with pytest.raises(ValueError, match=r"`hidden_dim` must be 1 or more.*=0"):
        BottleneckAdapter(0)
