import numpy as np
import pytest
import tensorflow as tf

from tests.keras_testing import check_saving, run_layer_test
from vpr_tf.layers import CrossEntropyHead


def random_descriptors(batch=6, dim=5):
    return np.random.default_rng(0).standard_normal((batch, dim)).astype("float32")


def softmax(logits):
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def test_layer_basics():
    run_layer_test(
        CrossEntropyHead,
        {"num_classes": 4, "hidden_layers": 1, "seed": 3},
        input_shape=(2, 5),
        expected_output_shape=(2, 4),
        expected_output_dtype="float32",
        expected_num_trainable_weights=4,
        # Logits stay float32 under mixed precision, which that check forbids.
        run_mixed_precision_check=False,
    )


def test_values_and_gradient_equal_numpy():
    x, labels = random_descriptors(), np.array([0, 3, 1, 1, 2, 0])
    head = CrossEntropyHead(4)
    head.build(x.shape)
    head.bias.assign([0.5, -1.0, 0.0, 2.0])
    with tf.GradientTape() as tape:
        losses = head.loss(x, labels)
        loss = tf.reduce_sum(losses)
    gradients = tape.gradient(loss, [head.kernel.value, head.bias.value])
    shares = softmax(x @ head.arrays()["kernel"] + head.arrays()["bias"])
    np.testing.assert_allclose(
        losses, -np.log(shares[np.arange(6), labels]), rtol=1e-4, atol=1e-5
    )
    error = shares - np.eye(4)[labels]
    np.testing.assert_allclose(gradients[0], x.T @ error, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(gradients[1], error.sum(axis=0), rtol=1e-4, atol=1e-5)


def test_save_and_load(tmp_path):
    check_saving(CrossEntropyHead(4), random_descriptors(), tmp_path)


def test_invalid_arguments():
    with pytest.raises(ValueError, match=r"`num_classes` must be 1 or more.*=0"):
        CrossEntropyHead(0)
