import keras
import numpy as np
import pytest

from vpr_tf.models import GeoLocalizationNet, load_weights
from vpr_tf.models.backbones import backbone_spec, mobilenet_v3
from vpr_tf.models.torch_weights.state_dict import load_torch_state_dict


def fill(network, seed):
    """Random weights with which every batch norm and branch counts."""
    rng = np.random.default_rng(seed)
    for variable in network.weights:
        noise = rng.random(variable.shape, "float32")
        if len(variable.shape) == 1:
            variable.assign(0.5 + noise)
    return network


@pytest.fixture(scope="module")
def original():
    """Stands in for the download."""
    keras.utils.set_random_seed(3)
    network = keras.applications.MobileNetV3Small(
        weights=None, include_top=False, include_preprocessing=False
    )
    return fill(network, 0)


@pytest.fixture
def replace_network(monkeypatch):
    def replace(make_network):
        name = "MobileNetV3Small"
        variant = mobilenet_v3._VARIANTS[name]._replace(make_network=make_network)
        monkeypatch.setitem(mobilenet_v3._VARIANTS, name, variant)

    return replace


@pytest.fixture(scope="module")
def encoder():
    return GeoLocalizationNet("MobileNetV3Small", 8)


def with_weights_of(original, image_shape):
    network = keras.applications.MobileNetV3Small(
        weights=None,
        include_top=False,
        include_preprocessing=False,
        input_shape=image_shape,
    )
    network.set_weights(original.get_weights())
    return network


@pytest.mark.parametrize("size", [(64, 96), (75, 101)])
def test_imagenet_weights_give_the_features_of_keras(
    original, encoder, replace_network, size
):
    def fetch(weights, include_top, input_shape):
        assert (weights, include_top) == ("imagenet", False)
        return original

    replace_network(fetch)
    load_weights(encoder, "imagenet")
    images = np.random.default_rng(0).random((1, *size, 3), "float32")
    # keras.applications pads right at odd sizes when it knows them beforehand.
    expected = with_weights_of(original, (*size, 3))(2 * images - 1)
    features = encoder.feature_extractor()(images)
    assert float(np.std(expected)) > 1e-3
    atol = 1e-4 * float(np.abs(expected).max())
    np.testing.assert_allclose(features, expected, rtol=0, atol=atol)


def test_imagenet_weights_without_network(encoder, replace_network):
    def unreachable(**kwargs):
        raise OSError("name resolution failed")

    replace_network(unreachable)
    with pytest.raises(ConnectionError, match=r"\.keras/models.*name resolution"):
        load_weights(encoder, "imagenet")


def test_saved_weights_load(encoder, tmp_path):
    encoder.save_weights(tmp_path / "own.weights.h5")
    other = GeoLocalizationNet("MobileNetV3Small", 8, train_from_stage=4)
    load_weights(other, str(tmp_path / "own.weights.h5"))
    for ours, theirs in zip(other.get_weights(), encoder.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_torch_weights_are_refused(encoder):
    with pytest.raises(ValueError, match=r"features\.0\.0\.weight: not part of"):
        load_torch_state_dict(encoder, {"features.0.0.weight": np.zeros((16, 3, 3, 3))})


def test_large_network_has_its_stages_at_the_downsamplings():
    stages = backbone_spec("MobileNetV3Large").build_stages((64, 96, 3))
    shapes = [tuple(stage.output.shape[1:]) for stage in stages]
    assert shapes == [
        (32, 48, 16),
        (16, 24, 24),
        (8, 12, 40),
        (4, 6, 112),
        (2, 3, 960),
    ]
