import keras
import numpy as np
import pytest

from tests.keras_testing import run_layer_test
from vpr_tf.layers import LayerScale


def test_layer_basics():
    run_layer_test(
        LayerScale,
        {"initial_value": 0.5},
        input_shape=(2, 4, 5, 3),
        expected_output_shape=(2, 4, 5, 3),
        expected_num_trainable_weights=1,
        supports_masking=True,
    )


@pytest.mark.parametrize("shape", [(2, 3), (2, 4, 5, 3)])
def test_values_equal_numpy(shape):
    x = np.random.default_rng(0).standard_normal(shape).astype("float32")
    layer = LayerScale(0.25)
    np.testing.assert_allclose(layer(x), 0.25 * x)
    layer.gamma.assign([1.0, 2.0, -3.0])
    np.testing.assert_allclose(layer(x), x * np.array([1.0, 2.0, -3.0]), rtol=1e-6)


def test_factors_stay_float32_under_mixed_precision():
    layer = LayerScale(1e-6, dtype="mixed_float16")
    y = layer(keras.ops.ones((1, 3), "float16"))
    assert (layer.gamma.dtype, keras.backend.standardize_dtype(y.dtype)) == (
        "float32",
        "float16",
    )
