import numpy as np
import pytest

from tests.keras_testing import (
    check_gradients_in_float16,
    check_saving,
    run_layer_test,
)
from vpr_tf.layers import SuperVLAD
from vpr_tf.models.torch_weights.aggregation_entries import aggregation_entries


def random_features(shape=(2, 5, 4, 3), seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


def test_layer_basics():
    run_layer_test(
        SuperVLAD,
        {"num_clusters": 3, "num_ghost_clusters": 2},
        input_data=random_features(),
        expected_output_shape=(2, 9),
        expected_num_trainable_weights=1,
        expected_num_non_trainable_weights=0,
    )


def test_values_equal_the_official_network(golden_dir):
    golden = np.load(golden_dir / "research" / "supervlad.npz")
    features = golden["features_nchw"].transpose(0, 2, 3, 1)
    layer = SuperVLAD(4, 1)
    layer.build(features.shape)
    (entry,) = aggregation_entries("aggregation", layer)
    assert entry.key == "aggregation.conv.weight"
    (value,) = entry.to_keras(golden["state/conv.weight"])
    layer.assignment.assign(value)
    np.testing.assert_allclose(layer(features), golden["descriptors"], atol=1e-6)


def test_gradients_in_float16():
    check_gradients_in_float16(SuperVLAD, (4, 3, 5), num_clusters=3)


def test_save_and_load(tmp_path):
    check_saving(SuperVLAD(), random_features(), tmp_path)


def test_invalid_arguments():
    with pytest.raises(ValueError, match=r"`num_clusters` must be 1 or more.*=0"):
        SuperVLAD(num_clusters=0)
    with pytest.raises(ValueError, match=r"`num_ghost_clusters` must be 0 or .*=-1"):
        SuperVLAD(num_ghost_clusters=-1)
    with pytest.raises(ValueError, match=r"needs a ghost cluster.*clusters=0"):
        SuperVLAD(1, 0)
    with pytest.raises(ValueError, match=r"SuperVLAD takes feature maps.*\(2, 3\)"):
        SuperVLAD()(np.ones((2, 3), "float32"))
