import numpy as np
import pytest

from tests.keras_testing import run_layer_test
from vpr_tf.layers import LearnedTokens


def test_layer_basics():
    run_layer_test(
        LearnedTokens,
        {"num_tokens": 4},
        input_shape=(2, 3, 5, 6),
        expected_output_shape=(2, 4, 6),
        expected_num_trainable_weights=1,
    )


def test_every_image_gets_the_same_tokens():
    layer = LearnedTokens(2)
    tokens = layer(np.zeros((3, 4, 4, 5), "float32")).numpy()
    np.testing.assert_array_equal(tokens, np.repeat(layer.tokens.numpy(), 3, axis=0))
    assert np.abs(tokens[0, 0] - tokens[0, 1]).max() > 0


def test_invalid_arguments():
    with pytest.raises(ValueError, match=r"`num_tokens` must be 1 or more.*0"):
        LearnedTokens(0)
