import json

import keras
import numpy as np
import pytest

from tests.golden.stand_in import stand_in_images, stand_in_state_dict
from vpr_tf.models import GeoLocalizationNet
from vpr_tf.models.torch_weights.state_dict import load_torch_state_dict


@pytest.fixture(scope="module")
def state_dict(official_shapes):
    return stand_in_state_dict(official_shapes["ResNet18_32"])


@pytest.fixture(scope="module")
def untrained():
    model = GeoLocalizationNet("ResNet18", 32)
    return model, model.get_weights()


@pytest.fixture
def encoder(untrained):
    model, weights = untrained
    model.set_weights(weights)  # those before what another test has loaded
    return model


@pytest.fixture(scope="module")
def converted(state_dict):
    model = GeoLocalizationNet("ResNet18", 32)
    load_torch_state_dict(model, state_dict)
    return model


def weights_of(model):
    return {variable.path: variable.numpy() for variable in model.variables}


def torchvision_names(state_dict):
    children = {"0": "conv1", "1": "bn1"}
    children |= {str(3 + layer): f"layer{layer}" for layer in range(1, 5)}
    bare = {"fc.weight": np.zeros((1000, 512)), "fc.bias": np.zeros(1000)}
    for key, value in state_dict.items():
        part, child, *rest = key.split(".")
        if part == "backbone":
            bare[".".join([children[child], *rest])] = value
    return bare


def test_vgg16_equals_official(official_shapes, official_values):
    model = GeoLocalizationNet("VGG16", 64)
    load_torch_state_dict(model, stand_in_state_dict(official_shapes["VGG16_64"]))
    features, descriptors = features_and_descriptors(model, stand_in_images(192, 320))
    expected = official_values["vgg16_features_first_2_channels_192x320"]
    assert_close_to_official(features[:, :2], expected)
    assert_close_to_official(descriptors, official_values["vgg16_descriptors_192x320"])


def features_and_descriptors(model, images):
    """Returns both, features as `(batch, channels, height, width)`."""
    network = keras.Model(
        model.input, [model.get_layer("normalize_features").input, model.output]
    )
    features, descriptors = network(images / np.float32(255))
    return features.numpy().transpose(0, 3, 1, 2), descriptors


def assert_close_to_official(ours, expected):
    atol = 1e-4 * np.abs(expected).max()
    np.testing.assert_allclose(ours, expected, rtol=0, atol=atol)


@pytest.fixture(
    scope="module", params=[("ResNet18", 512), ("VGG16", 64), ("EfficientNet_B0", 512)]
)
def official(request, reference, golden_dir):
    """An encoder with stand-in weights, and what the official code gives for them."""
    backbone, dim = request.param
    model = GeoLocalizationNet(backbone, dim)
    load_torch_state_dict(model, reference.reference_state_dict(backbone, dim))
    return model, np.load(golden_dir / f"network_{backbone}_{dim}.npz")


@pytest.mark.parametrize(("height", "width"), [(224, 224), (192, 320)])
def test_features_and_descriptors_equal_official(official, reference, height, width):
    model, golden = official
    images = reference.reference_images(height, width)
    features, descriptors = features_and_descriptors(model, images)
    size = f"{height}x{width}"
    expected = golden[f"features_first_8_channels_{size}"]
    assert_close_to_official(features[:, :8], expected)
    assert_close_to_official(descriptors, golden[f"descriptors_{size}"])


@pytest.mark.parametrize("name", ["ResNet18_32", "VGG16_64"])
def test_official_network_loads_strictly(official_shapes, name):
    check_loads_strictly(name, official_shapes[name])


@pytest.mark.parametrize(
    "name",
    [
        "ResNet50_128",
        "ResNet101_64",
        "ResNet152_32",
        "VGG16_512",
        "EfficientNet_B0_512",
    ],
)
def test_every_official_network_loads_strictly(golden_dir, name):
    shapes = json.loads((golden_dir / "state_dict_shapes.json").read_text())
    check_loads_strictly(name, shapes[name])


def check_loads_strictly(name, shapes):
    rng = np.random.default_rng(0)
    state_dict = {key: rng.random(shape, "float32") for key, shape in shapes.items()}
    backbone, dim = name.rsplit("_", 1)
    model = GeoLocalizationNet(backbone, int(dim))
    load_torch_state_dict(model, state_dict)
    # Same numbers, whatever their order and axes: every weight came from the file.
    counters = [key for key in shapes if key.endswith("num_batches_tracked")]
    read = [value for key, value in state_dict.items() if key not in counters]
    assert len(read) == len(model.weights)
    assert sum(value.size for value in read) == model.count_params()
    sums = sorted(float(value.sum(dtype="float64")) for value in read)
    received = sorted(float(w.numpy().sum(dtype="float64")) for w in model.weights)
    np.testing.assert_allclose(received, sums, rtol=1e-9)


def test_names_of_data_parallel_are_accepted(state_dict, converted, encoder):
    load_torch_state_dict(
        encoder, {f"module.{key}": value for key, value in state_dict.items()}
    )
    for path, value in weights_of(encoder).items():
        np.testing.assert_array_equal(value, weights_of(converted)[path])


def test_bare_torchvision_backbone_keeps_projection(state_dict, converted, encoder):
    before = weights_of(encoder)
    load_torch_state_dict(encoder, torchvision_names(state_dict))
    expected = weights_of(converted)
    for path, value in weights_of(encoder).items():
        kept = path.startswith(("aggregation", "projection"))
        np.testing.assert_array_equal(value, (before if kept else expected)[path])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.pop("backbone.0.weight"), "backbone.0.weight: missing"),
        (
            lambda d: d.update({"backbone.9.weight": np.zeros(3)}),
            "backbone.9.weight: not part of ResNet18",
        ),
        (
            lambda d: d.update({"fc.weight": np.zeros((1000, 512))}),
            "fc.weight: not part of ResNet18",
        ),
        (
            lambda d: d.update({"aggregation.3.weight": np.zeros((256, 512))}),
            r"aggregation.3.weight: shape \(256, 512\), expected \(32, 512\)",
        ),
        (
            lambda d: d.update({"backbone.1.bias": np.full(64, np.nan)}),
            "backbone.1.bias: holds NaN",
        ),
        (
            lambda d: d.update({"backbone.1.bias": np.zeros((64, 1))}),
            r"backbone.1.bias: shape \(64, 1\)",
        ),
    ],
)
def test_any_difference_is_named_and_nothing_is_set(
    state_dict, encoder, change, message
):
    changed = dict(state_dict)
    change(changed)
    before = weights_of(encoder)
    with pytest.raises(ValueError, match=message):
        load_torch_state_dict(encoder, changed)
    for path, value in weights_of(encoder).items():
        np.testing.assert_array_equal(value, before[path])


def test_another_backbone_lists_some_of_the_differences(state_dict):
    model = GeoLocalizationNet("EfficientNetLite0", 32)
    with pytest.raises(
        ValueError, match=r"not fit EfficientNetLite0[\s\S]*and \d+ more"
    ):
        load_torch_state_dict(model, state_dict)
