import keras
import numpy as np
import pytest

from vpr_tf.models import GeoLocalizationNet, load_weights
from vpr_tf.models.backbones import backbone_spec, convnext
from vpr_tf.models.torch_weights.state_dict import BARE_BACKBONE, encoder_entries


@pytest.fixture(scope="module")
def encoder():
    return GeoLocalizationNet("ConvNeXtTiny", 8)


@pytest.fixture(scope="module")
def original():
    """Stands in for the download; layer scales and norms count."""
    keras.utils.set_random_seed(3)
    network = keras.applications.ConvNeXtTiny(
        weights=None, include_top=False, include_preprocessing=False
    )
    rng = np.random.default_rng(0)
    for variable in network.weights:
        if len(variable.shape) == 1:
            variable.assign(0.2 + 0.3 * rng.random(variable.shape, "float32"))
    return network


def replace_network(monkeypatch, make_network):
    variant = convnext._VARIANTS["ConvNeXtTiny"]._replace(make_network=make_network)
    monkeypatch.setitem(convnext._VARIANTS, "ConvNeXtTiny", variant)


def test_imagenet_weights_give_the_features_of_keras(original, encoder, monkeypatch):
    replace_network(monkeypatch, lambda **kwargs: original)
    load_weights(encoder, "imagenet")
    images = np.random.default_rng(0).random((1, 75, 101, 3), "float32")
    standardised = encoder.get_layer("standardize")(images)
    expected = np.asarray(original(standardised))
    features = encoder.feature_extractor()(images)
    assert expected.std() > 0.01
    atol = 1e-4 * np.abs(expected).max()
    np.testing.assert_allclose(features, expected, rtol=0, atol=atol)


def test_imagenet_weights_without_network(encoder, monkeypatch):
    def unreachable(**kwargs):
        raise OSError("name resolution failed")

    replace_network(monkeypatch, unreachable)
    with pytest.raises(ConnectionError, match=r"\.keras/models.*name resolution"):
        load_weights(encoder, "imagenet")


def test_imagenet_weights_of_another_size_list_the_differences(
    original, encoder, monkeypatch
):
    cut = keras.Model(original.input, original.layers[-2].output)
    replace_network(monkeypatch, lambda **kwargs: cut)
    with pytest.raises(ValueError, match="final_layernorm/gamma: expected"):
        load_weights(encoder, "imagenet")


def test_names_and_shapes_are_those_of_torchvision(encoder):
    shapes = {
        entry.key: entry.torch_shape
        for entry in encoder_entries(encoder, BARE_BACKBONE)
    }
    assert len(shapes) == 180
    classifier = 768 * 1000 + 1000
    total = sum(int(np.prod(shape)) for shape in shapes.values())
    assert total == 28_589_128 - classifier
    expected = {
        "features.0.0.weight": (96, 3, 4, 4),
        "features.0.1.weight": (96,),
        "features.1.0.layer_scale": (96, 1, 1),
        "features.1.0.block.0.weight": (96, 1, 7, 7),
        "features.1.0.block.2.bias": (96,),
        "features.1.0.block.3.weight": (384, 96),
        "features.1.0.block.5.weight": (96, 384),
        "features.2.0.weight": (96,),
        "features.2.1.weight": (192, 96, 2, 2),
        "features.7.2.block.5.bias": (768,),
        "classifier.0.weight": (768,),
    }
    assert expected.items() <= shapes.items()


@pytest.mark.parametrize(
    ("name", "channels"),
    [("ConvNeXtSmall", 768), ("ConvNeXtBase", 1024), ("ConvNeXtLarge", 1536)],
)
def test_channels_of_the_larger_networks(name, channels):
    spec = backbone_spec(name)
    assert spec.feature_channels == channels
    blocks = {module for module, _ in spec.modules if module.count(".") == 2}
    assert len({m for m in blocks if m.startswith("features.5.")}) == 27
