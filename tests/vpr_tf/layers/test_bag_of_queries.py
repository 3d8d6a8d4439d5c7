import numpy as np
import pytest

from tests.keras_testing import (
    check_gradients_in_float16,
    check_saving,
    run_layer_test,
)
from vpr_tf.layers import BagOfQueries
from vpr_tf.models.torch_weights.aggregation_entries import aggregation_entries

SMALL = {"out_channels": 64, "out_rows": 3, "num_queries": 4, "num_blocks": 2}


def random_features(shape=(2, 5, 4, 3), seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


def test_layer_basics():
    run_layer_test(
        BagOfQueries,
        {**SMALL, "num_blocks": 1},
        input_data=random_features(),
        expected_output_shape=(2, 192),
        # Convolution, norm and rows; in the block queries, three attentions of eight
        # variables, four norms and two dense layers.
        expected_num_trainable_weights=6 + (1 + 3 * 8 + 4 * 2 + 2 * 2),
        expected_num_non_trainable_weights=0,
    )


def test_values_equal_the_official_network(golden_dir):
    golden = np.load(golden_dir / "research" / "boq.npz")
    features = golden["features_nchw"].transpose(0, 2, 3, 1)
    layer = BagOfQueries(out_channels=128, out_rows=4, num_queries=8, num_blocks=2)
    layer.build(features.shape)
    entries = {entry.key: entry for entry in aggregation_entries("state/", layer)}
    state = {name.replace("/", "/.", 1): name for name in golden if "state/" in name}
    assert entries.keys() == state.keys()
    for key, entry in entries.items():
        array = golden[state[key]]
        assert entry.torch_shape == array.shape
        for variable, value in zip(entry.variables, entry.to_keras(array), strict=True):
            variable.assign(value)
        back = entry.to_torch([variable.numpy() for variable in entry.variables])
        np.testing.assert_array_equal(back, array)
    np.testing.assert_allclose(layer(features), golden["descriptors"], atol=1e-6)


def test_gradients_in_float16():
    check_gradients_in_float16(BagOfQueries, (4, 3, 5), **SMALL)


def test_save_and_load(tmp_path):
    check_saving(BagOfQueries(**SMALL), random_features(), tmp_path)


def test_no_two_blocks_begin_alike():
    layer = BagOfQueries(**SMALL)
    layer.build((None, None, None, 3))
    kernels = [
        attention.query_dense.kernel.numpy()
        for block in layer.blocks
        for attention in (block.encoder_attention, block.attention)
    ]
    assert len({kernel.tobytes() for kernel in kernels}) == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"out_channels": 100}, r"multiple of 64.*e\.g\. 512.*out_channels=100"),
        ({"out_channels": 0}, "multiple of 64.*out_channels=0"),
        ({"out_rows": 0}, "`out_rows` must be 1 or more. Received: 0"),
        ({"num_queries": 0}, "`num_queries` must be 1 or more"),
        ({"num_blocks": 0}, "`num_blocks` must be 1 or more"),
    ],
)
def test_invalid_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        BagOfQueries(**options)


def test_other_inputs_are_refused():
    with pytest.raises(ValueError, match=r"Bag of Queries takes feature maps.*\(2, 3"):
        BagOfQueries()(np.ones((2, 3), "float32"))
