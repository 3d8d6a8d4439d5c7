import numpy as np
import pytest

from tests.keras_testing import (
    check_gradients_in_float16,
    check_saving,
    run_layer_test,
)
from vpr_tf.layers import AttentionPooling2D


def random_features(shape=(2, 5, 4, 6), seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


def layer_norm(layer, x):
    x = (x - x.mean()) / np.sqrt(x.var() + 1e-5)
    return x * layer.gamma.numpy() + layer.beta.numpy()


def attention_pooling(layer, features):
    """One image and one head at a time."""
    query_dense, key_dense, value_dense, output_dense = (
        (dense.kernel.numpy(), dense.bias.numpy())
        for dense in (
            *(layer.attention.query_dense, layer.attention.key_dense),
            *(layer.attention.value_dense, layer.attention.output_dense),
        )
    )
    seed = layer.query.numpy()[0]
    outputs = []
    for image in features.astype("float64"):
        x = image.reshape(-1, image.shape[-1])
        attended = output_dense[1].astype("float64")
        for head in range(layer.num_heads):
            query, keys, values = (
                part @ kernel[:, head] + bias[head]
                for part, (kernel, bias) in (
                    *((seed, query_dense), (x, key_dense), (x, value_dense)),
                )
            )
            weights = np.exp(keys @ query / np.sqrt(len(query)))
            attended = (
                attended + weights @ values / weights.sum() @ (output_dense[0][head])
            )
        h = layer_norm(layer.attention_norm, seed + attended)
        dense = h @ layer.dense.kernel.numpy() + layer.dense.bias.numpy()
        outputs.append(layer_norm(layer.output_norm, h + np.maximum(dense, 0)))
    return np.array(outputs)


def test_layer_basics():
    run_layer_test(
        AttentionPooling2D,
        {"num_heads": 3},
        input_data=random_features(),
        expected_output_shape=(2, 6),
        expected_num_trainable_weights=1 + 8 + 2 + 4,
        expected_num_non_trainable_weights=0,
    )


@pytest.mark.parametrize("num_heads", [1, 3])
def test_values_equal_numpy(num_heads):
    x = random_features()
    layer = AttentionPooling2D(num_heads)
    layer.build(x.shape)
    rng = np.random.default_rng(1)
    layer.set_weights([rng.normal(0, 0.5, w.shape) for w in layer.get_weights()])
    expected = attention_pooling(layer, x)
    np.testing.assert_allclose(layer(x), expected, rtol=1e-4, atol=1e-5)


def test_order_of_the_locations_does_not_matter():
    x = random_features()
    layer = AttentionPooling2D(2)
    np.testing.assert_allclose(layer(x[:, ::-1, ::-1]), layer(x), atol=1e-5)


def test_gradients_in_float16():
    check_gradients_in_float16(AttentionPooling2D, (4, 3, 6), num_heads=2)


def test_save_and_load(tmp_path):
    check_saving(AttentionPooling2D(2), random_features(), tmp_path)


def test_invalid_arguments():
    with pytest.raises(ValueError, match="`num_heads` must be 1 or more"):
        AttentionPooling2D(num_heads=0)
    with pytest.raises(ValueError, match=r"must divide.*num_heads=4, channels=6"):
        AttentionPooling2D(num_heads=4)(random_features())
    with pytest.raises(ValueError, match=r"takes feature maps.*\(2, 3\)"):
        AttentionPooling2D()(np.ones((2, 3), "float32"))
