import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.keras_testing import run_layer_test
from vpr_tf.layers import SequenceToTokens, TokensToSequence


def random_tokens(height=3, width=4):
    rng = np.random.default_rng(0)
    shapes = ((2, height, width, 5), (2, 2, 5))
    return [rng.standard_normal(shape).astype("float32") for shape in shapes]


def test_layer_basics():
    patches, tokens = random_tokens()
    run_layer_test(
        TokensToSequence,
        {},
        input_data=[patches, tokens],
        expected_output_shape=(2, 14, 5),
        run_training_check=False,  # there is nothing to train
    )
    sequence = np.zeros((2, 14, 5), "float32")
    run_layer_test(
        SequenceToTokens,
        {"num_tokens": 2},
        input_data=[sequence, patches],
        expected_output_shape=[(2, 3, 4, 5), (2, 2, 5)],
        run_training_check=False,
    )


def test_tokens_come_first_and_patches_row_by_row():
    patches, tokens = random_tokens()
    sequence = TokensToSequence()([patches, tokens]).numpy()
    np.testing.assert_array_equal(sequence[:, :2], tokens)
    np.testing.assert_array_equal(sequence[:, 2 + 4 + 1], patches[:, 1, 1])


def test_inverse_at_sizes_known_at_run_time_only(tmp_path):
    inputs = [keras.Input((None, None, 5)), keras.Input((2, 5))]
    sequence = TokensToSequence()(inputs)
    model = keras.Model(inputs, SequenceToTokens(2)([2 * sequence, inputs[0]]))
    assert [tuple(x.shape) for x in model.output] == [
        (None, None, None, 5),
        (None, 2, 5),
    ]
    model.export(tmp_path / "exported", verbose=False)
    served = tf.saved_model.load(str(tmp_path / "exported"))
    for size in ((3, 4), (6, 1)):
        inputs = random_tokens(*size)
        for received in (model(inputs), served.serve(inputs)):
            for ours, known in zip(received, inputs, strict=True):
                np.testing.assert_array_equal(ours, 2 * known)


def test_chain_of_inverses_in_a_graph_of_unknown_sizes():
    inputs = [keras.Input((None, None, 5)), keras.Input((2, 5))]
    x = inputs
    for _ in range(3):
        x = SequenceToTokens(2)([TokensToSequence()(x), x[0]])
    model = keras.Model(inputs, x)
    spec = [tf.TensorSpec((None, None, None, 5)), tf.TensorSpec((None, 2, 5))]
    function = tf.function(model, input_signature=[spec])
    given = [tf.constant(array) for array in random_tokens()]
    for ours, known in zip(function(given), given, strict=True):
        np.testing.assert_array_equal(ours, known)


def test_invalid_number_of_tokens():
    with pytest.raises(ValueError, match="`num_tokens` must be 1 or more"):
        SequenceToTokens(0)
