import numpy as np
import pytest

from tests.keras_testing import (
    check_gradients_in_float16,
    check_saving,
    run_layer_test,
)
from vpr_tf.layers import ArithmeticMeanPooling2D


def random_features(shape=(2, 5, 4, 3), seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


def test_layer_basics():
    run_layer_test(
        ArithmeticMeanPooling2D,
        {},
        input_data=random_features(),
        expected_output_shape=(2, 3),
        expected_num_trainable_weights=0,
        expected_num_non_trainable_weights=0,
    )


def test_values_equal_numpy():
    x = random_features()
    expected = x.astype("float64").mean(axis=(1, 2))
    np.testing.assert_allclose(ArithmeticMeanPooling2D()(x), expected, atol=1e-6)


def test_mixed_precision_computes_in_float32():
    # The sum of these is beyond float16.
    x = np.full((1, 40, 40, 2), 100, "float16")
    output = ArithmeticMeanPooling2D(dtype="mixed_float16")(x)
    np.testing.assert_array_equal(output, np.full((1, 2), 100))
    check_gradients_in_float16(ArithmeticMeanPooling2D, (4, 3, 5))


def test_save_and_load(tmp_path):
    check_saving(ArithmeticMeanPooling2D(), random_features(), tmp_path)


def test_invalid_arguments():
    with pytest.raises(ValueError, match=r"\(batch, height, width, channels\).*\(2, 3"):
        ArithmeticMeanPooling2D()(np.ones((2, 3), "float32"))
