import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.keras_testing import check_saving
from vpr_tf.layers import CosineMarginHead, CrossEntropyHead


def random_descriptors(batch=6, dim=5):
    return np.random.default_rng(0).standard_normal((batch, dim)).astype("float32")


def silu(x):
    return x / (1 + np.exp(-x))


def test_hidden_layers_equal_numpy_on_their_arrays():
    x = random_descriptors()
    head = CrossEntropyHead(4, hidden_layers=3, seed=1)
    head.build(x.shape)
    rng = np.random.default_rng(1)
    head.set_weights([rng.standard_normal(w.shape) for w in head.get_weights()])
    arrays = head.arrays()
    expected = x
    for layer in range(3):
        kernel, bias = (arrays[f"hidden_{layer}_{part}"] for part in ("kernel", "bias"))
        expected = silu(expected @ kernel + bias)
    expected = expected @ arrays["kernel"] + arrays["bias"]
    np.testing.assert_allclose(head(x), expected, rtol=1e-4, atol=1e-4)
    assert len(arrays) == 8


def test_hidden_layers_start_differently_from_the_same_seed():
    first, second, other = (
        CrossEntropyHead(4, hidden_layers=2, seed=seed) for seed in (7, 7, 8)
    )
    for head in (first, second, other):
        head.build((None, 16))
    for name, values in first.arrays().items():
        np.testing.assert_array_equal(values, second.arrays()[name])
    kernels = [first.arrays()[f"hidden_{layer}_kernel"] for layer in (0, 1)]
    assert np.abs(kernels[0] - kernels[1]).max() > 0.1
    assert np.abs(kernels[0] - other.arrays()["hidden_0_kernel"]).max() > 0.1


def test_checkpoint_of_a_head_that_has_centres_alone_restores(tmp_path):
    class Earlier(keras.layers.Layer):
        def build(self, input_shape):
            self.class_centres = self.add_weight(
                name="class_centres", shape=(input_shape[-1], 7), autocast=False
            )

    earlier, head = Earlier(), CosineMarginHead(7)
    for layer in (earlier, head):
        layer.build((None, 5))
    path = tf.train.Checkpoint(heads=[earlier]).save(str(tmp_path / "earlier"))
    tf.train.Checkpoint(heads=[head]).restore(path).assert_consumed()
    np.testing.assert_array_equal(head.class_centres, earlier.class_centres)


def test_configs_without_hidden_layers_load():
    config = CosineMarginHead(3, seed=4).get_config()
    del config["hidden_layers"]
    assert CosineMarginHead.from_config(config).hidden_layers == 0


def test_save_and_load_hidden_layers(tmp_path):
    check_saving(CosineMarginHead(4, hidden_layers=2), random_descriptors(), tmp_path)


def test_invalid_arguments():
    with pytest.raises(ValueError, match=r"`hidden_layers` must be 0 to 3.*=4"):
        CrossEntropyHead(3, hidden_layers=4)
    with pytest.raises(ValueError, match="no weights yet"):
        CrossEntropyHead(3).arrays()
    with pytest.raises(ValueError, match=r"\(batch, descriptor_dim\)"):
        CrossEntropyHead(3)(np.ones((2, 4, 4, 5), "float32"))
