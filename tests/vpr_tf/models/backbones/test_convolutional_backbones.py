"""What every convolutional backbone must keep, on a small member of each family."""

import keras
import numpy as np
import pytest

from vpr_tf.models import GeoLocalizationNet
from vpr_tf.models.backbones import backbone_spec
from vpr_tf.models.torch_weights.state_dict import (
    BARE_BACKBONE,
    COSPLACE,
    encoder_entries,
)

# EfficientNetLite0 is the network of the encoder's own tests.
SMALL_MEMBERS = (
    "ResNet18",
    "VGG16",
    "EfficientNet_B0",
    "MobileNetV3Small",
    "ConvNeXtTiny",
)


@pytest.fixture(scope="module", params=SMALL_MEMBERS)
def encoder(request):
    """Trains its last stage alone; batch norms have the statistics of images."""
    keras.utils.set_random_seed(0)
    last = backbone_spec(request.param).num_stages - 1
    model = GeoLocalizationNet(request.param, 4, train_from_stage=last)
    norms = [
        layer
        for stage in model.stages
        for layer in stage.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    model(random_images(96, 128, batch=4), training=True)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    return model


def random_images(height, width, batch=1):
    rng = np.random.default_rng(0)
    return rng.random((batch, height, width, 3), "float32")


def test_stated_shape_is_that_of_a_forward_pass(encoder):
    spec = backbone_spec(encoder.backbone_name)
    assert encoder.stages[-1].output.shape[-1] == spec.feature_channels
    extractor = encoder.feature_extractor()
    stride = spec.output_stride
    assert extractor(random_images(2 * stride, 3 * stride)).shape == (
        1,
        2,
        3,
        spec.feature_channels,
    )
    batch, *sides, channels = extractor(random_images(75, 101, batch=2)).shape
    assert (batch, channels) == (2, spec.feature_channels)
    for pixels, steps in zip((75, 101), sides, strict=True):
        assert pixels // stride <= steps <= -(-pixels // stride)


def test_stages_are_as_many_as_stated(encoder):
    spec = backbone_spec(encoder.backbone_name)
    names = [stage.name for stage in encoder.stages]
    assert names == [f"stage{number}" for number in range(spec.num_stages)]
    layers = [layer.name for stage in encoder.stages for layer in stage.layers]
    weighted = [name for name in layers if not name.startswith("input")]
    assert len(set(weighted)) == len(weighted)
    assert {layer for _, layer in spec.modules} <= set(weighted)


def test_frozen_stages_do_not_train(encoder):
    trainable = {v.path for v in encoder.trainable_variables}
    last = {v.path for v in encoder.stages[-1].trainable_variables}
    assert last
    assert trainable == last | {
        *(v.path for v in encoder.get_layer("aggregation").trainable_variables),
        *(v.path for v in encoder.get_layer("projection").trainable_variables),
    }
    num_weights = len(encoder.stages[-1].weights)
    moving = [v for v in encoder.stages[-1].weights if "moving" in v.name]
    assert len(last) == num_weights - len(moving)


# Depth multiplies the rounding of random networks; unrelated features differ by 1.4.
@pytest.mark.parametrize(
    ("policy", "tolerance"), [("mixed_float16", 0.05), ("mixed_bfloat16", 0.4)]
)
def test_computes_under_mixed_precision(encoder, policy, tolerance):
    config = encoder.get_config() | {"dtype": policy}
    mixed = GeoLocalizationNet.from_config(config)
    mixed.set_weights(encoder.get_weights())
    compute_dtype = policy.removeprefix("mixed_")
    for stage in mixed.stages:
        assert stage.output.dtype == compute_dtype
    for layer in mixed.stages[-1].layers[1:]:
        assert layer.compute_dtype == compute_dtype
    assert {v.dtype for v in mixed.weights} == {"float32"}
    images = random_images(64, 96)
    features = np.asarray(mixed.feature_extractor()(images), "float32")
    expected = np.asarray(encoder.feature_extractor()(images))
    error = np.linalg.norm(features - expected) / np.linalg.norm(expected)
    assert 0 < error < tolerance


def test_saved_model_gives_the_same_descriptors(encoder, tmp_path):
    encoder.save(tmp_path / "encoder.keras")
    loaded = keras.saving.load_model(tmp_path / "encoder.keras")
    images = random_images(75, 101)
    np.testing.assert_array_equal(loaded(images), encoder(images))


@pytest.mark.parametrize("layout", [BARE_BACKBONE, COSPLACE], ids=lambda x: x.name)
def test_state_dict_entries_go_there_and_back(encoder, layout):
    if not backbone_spec(encoder.backbone_name).modules:
        pytest.skip("no torch network equals this one")
    rng = np.random.default_rng(0)
    filled = set()
    for entry in encoder_entries(encoder, layout):
        array = rng.random(entry.torch_shape, "float32")
        values = entry.to_keras(array)
        for variable, value in zip(entry.variables, values, strict=True):
            assert tuple(variable.shape) == value.shape
            filled.add(variable.path)
        np.testing.assert_array_equal(entry.to_torch(values), array)
    owners = encoder.stages if layout is BARE_BACKBONE else [encoder]
    assert filled == {v.path for owner in owners for v in owner.weights}
