import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.keras_testing import (
    check_gradients_in_float16,
    check_saving,
    run_layer_test,
)
from vpr_tf.layers import MixVPR

SMALL = {"out_channels": 4, "out_rows": 2, "mix_depth": 3, "mlp_ratio": 1.5}


def random_features(shape=(2, 5, 4, 3), seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


def dense(layer, x):
    return x @ layer.kernel.numpy() + layer.bias.numpy()


def mixvpr(layer, features):
    """Channels first, as the paper: rows of `x` are channels, columns locations."""
    descriptors = []
    for image in features.astype("float64"):
        x = image.reshape(-1, image.shape[-1]).T
        for mixer in layer.mixers:
            norm = mixer.normalization
            y = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-5)
            y = y * norm.gamma.numpy() + norm.beta.numpy()
            x = x + dense(mixer.output_dense, np.maximum(dense(mixer.hidden, y), 0))
        x = dense(layer.channel_projection, x.T).T
        x = dense(layer.row_projection, x).reshape(-1)
        descriptors.append(x / np.linalg.norm(x))
    return np.array(descriptors)


def test_layer_basics():
    run_layer_test(
        MixVPR,
        SMALL,
        input_data=random_features(),
        expected_output_shape=(2, 8),
        expected_num_trainable_weights=3 * 6 + 4,
        expected_num_non_trainable_weights=0,
    )


def test_values_equal_numpy():
    x = random_features()
    layer = MixVPR(**SMALL)
    layer.build(x.shape)
    rng = np.random.default_rng(1)
    layer.set_weights([rng.normal(0, 0.3, w.shape) for w in layer.get_weights()])
    np.testing.assert_allclose(layer(x), mixvpr(layer, x), atol=1e-5)


def test_defaults_are_those_of_the_released_4096_dimensions():
    layer = MixVPR()
    layer.build((None, 20, 20, 1024))
    assert layer.compute_output_shape((7, 20, 20, 1024)) == (7, 4096)
    mixers = 4 * (2 * 400 + 2 * (400 * 400 + 400))
    assert layer.count_params() == mixers + 1024 * 1025 + 4 * 401
    assert 0.019 < layer.mixers[0].hidden.kernel.numpy().std() < 0.021


def test_gradients_in_float16():
    check_gradients_in_float16(MixVPR, (4, 3, 5), **SMALL)


def test_save_and_load(tmp_path):
    check_saving(MixVPR(**SMALL), random_features(), tmp_path, sizes=False)


def test_maps_of_another_size_are_refused():
    layer = MixVPR(**SMALL)
    layer(random_features())
    with pytest.raises(ValueError, match=r"incompatible.*expected shape=\(None, 5, 4"):
        layer(random_features((2, 10, 4, 3)))
    signature = [tf.TensorSpec((None, None, None, 3))]
    compiled = tf.function(layer, input_signature=signature)
    with pytest.raises(tf.errors.InvalidArgumentError):
        compiled(random_features((2, 10, 4, 3)))


@pytest.mark.parametrize("name", ["out_channels", "out_rows"])
def test_sizes_below_one_are_refused(name):
    with pytest.raises(ValueError, match=f"`{name}` must be 1 or more. Received: 0"):
        MixVPR(**{name: 0})


def test_invalid_arguments():
    with pytest.raises(ValueError, match="`mix_depth` must be 0 or more"):
        MixVPR(mix_depth=-1)
    with pytest.raises(ValueError, match="`mlp_ratio` must be positive"):
        MixVPR(mlp_ratio=0)
    with pytest.raises(ValueError, match=r"MixVPR takes feature maps.*\(2, 3\)"):
        MixVPR()(np.ones((2, 3), "float32"))
    with pytest.raises(ValueError, match="height and width must be known"):
        MixVPR()(keras.Input((None, 7, 3)))
