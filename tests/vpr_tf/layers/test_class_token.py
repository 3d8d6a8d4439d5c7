import numpy as np
import pytest

from tests.keras_testing import (
    check_gradients_in_float16,
    check_saving,
    run_layer_test,
)
from vpr_tf.layers import ClassToken


def random_tokens():
    return np.random.default_rng(0).standard_normal((2, 5)).astype("float32")


def test_layer_basics():
    run_layer_test(
        ClassToken,
        {},
        input_data=random_tokens(),
        expected_output_shape=(2, 5),
        expected_num_trainable_weights=0,
        expected_num_non_trainable_weights=0,
    )


def test_token_is_returned():
    np.testing.assert_array_equal(ClassToken()(random_tokens()), random_tokens())


def test_gradients_in_float16():
    check_gradients_in_float16(ClassToken, (5,))


def test_save_and_load(tmp_path):
    check_saving(ClassToken(), random_tokens(), tmp_path)


def test_invalid_arguments():
    with pytest.raises(ValueError, match=r"has shape \(batch, channels\).*\(2, 5, 4"):
        ClassToken()(np.ones((2, 5, 4, 3), "float32"))
