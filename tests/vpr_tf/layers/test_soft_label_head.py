import numpy as np
import tensorflow as tf

from tests.keras_testing import check_saving, run_layer_test
from vpr_tf.layers import SoftLabelHead

CENTRES = [[-10.0, 0.0], [10.0, 0.0], [-10.0, 20.0], [70.0, 0.0]]


def random_descriptors(batch=4, dim=5):
    return np.random.default_rng(0).standard_normal((batch, dim)).astype("float32")


def test_layer_basics():
    run_layer_test(
        SoftLabelHead,
        {
            "class_centres": CENTRES,
            "cell_size_m": 20.0,
            "class_headings_deg": [15.0, 45.0, 15.0, 15.0],
            "heading_size_deg": 30.0,
        },
        input_shape=(2, 5),
        expected_output_shape=(2, 4),
        expected_output_dtype="float32",
        expected_num_trainable_weights=2,
        # Logits stay float32 under mixed precision, which that check forbids.
        run_mixed_precision_check=False,
    )


def test_values_and_gradient_equal_numpy():
    x = random_descriptors()
    places = np.zeros((4, 4), "float32")
    places[:, :2] = [[-10, 3], [5, 0], [70, 5], [150, 0]]
    head = SoftLabelHead(CENTRES, 20.0, seed=1)
    head.build(x.shape)
    head.bias.assign([0.5, -1.0, 0.0, 2.0])
    with tf.GradientTape() as tape:
        losses = head.loss(x, places)
        loss = tf.reduce_sum(losses)
    gradient = tape.gradient(loss, head.kernel.value)
    distances = np.linalg.norm(places[:3, None, :2] - CENTRES, axis=2)
    targets = np.zeros((4, 4))
    targets[:2, :3] = 1 / distances[:2, :3]
    targets[2, 3] = 1
    targets[:3] /= targets[:3].sum(axis=1, keepdims=True)
    logits = x @ head.arrays()["kernel"] + head.arrays()["bias"]
    logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(losses, -np.sum(targets * logits, axis=1), rtol=1e-4)
    # The last place is near no class.
    error = (np.exp(logits) - targets) * [[1], [1], [1], [0]]
    np.testing.assert_allclose(gradient, x.T @ error, rtol=1e-3, atol=1e-5)


def test_save_and_load(tmp_path):
    head = SoftLabelHead(np.array(CENTRES), 20.0, np.array([15, 45, 15, 15]), 30.0)
    check_saving(head, random_descriptors(), tmp_path)


def test_arrays_and_target():
    head = SoftLabelHead(CENTRES, 20.0)
    head.build((None, 5))
    assert {name: array.shape for name, array in head.arrays().items()} == {
        "kernel": (5, 4),
        "bias": (4,),
    }
    assert head.target == "place"
