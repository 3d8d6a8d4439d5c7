import types

import keras
import numpy as np
import pytest
from keras_hub.models import EfficientNetBackbone

from vpr_tf.layers import FusedBatchNormalization
from vpr_tf.models import GeoLocalizationNet, load_weights
from vpr_tf.models.backbones import backbone_spec
from vpr_tf.models.backbones.efficientnet_blocks import (
    EfficientNetPlan,
    Stack,
    build_stages,
)
from vpr_tf.models.torch_weights.state_dict import (
    BARE_BACKBONE,
    COSPLACE,
    DIVIDE_AND_CLASSIFY,
    encoder_entries,
)

B0_OF_KERAS_HUB = {
    "stackwise_width_coefficients": [1.0] * 7,
    "stackwise_depth_coefficients": [1.0] * 7,
    "stackwise_kernel_sizes": [3, 3, 5, 3, 5, 5, 3],
    "stackwise_num_repeats": [1, 2, 2, 3, 3, 4, 1],
    "stackwise_input_filters": [32, 16, 24, 40, 80, 112, 192],
    "stackwise_output_filters": [16, 24, 40, 80, 112, 192, 320],
    "stackwise_expansion_ratios": [1, 6, 6, 6, 6, 6, 6],
    "stackwise_strides": [1, 2, 2, 2, 1, 2, 1],
    "stackwise_squeeze_and_excite_ratios": [0.25] * 7,
    "stackwise_block_types": ["v1"] * 7,
    "min_depth": None,
    "use_depth_divisor_as_min_depth": True,
    "cap_round_filter_decrease": True,
    "dropout": 0.0,
}


def all_layers(model, layer_class):
    return [
        layer
        for stage in model.stages
        for layer in stage.layers
        if isinstance(layer, layer_class)
    ]


@pytest.fixture(scope="module")
def b0():
    keras.utils.set_random_seed(0)
    return GeoLocalizationNet("EfficientNet_B0", 8, train_from_stage=5)


@pytest.fixture(scope="module")
def b7():
    return GeoLocalizationNet("EfficientNet_B7", 8)


@pytest.mark.parametrize(
    ("fixture", "params_of_torchvision", "channels"),
    [("b0", 5_288_548, 1280), ("b7", 66_347_960, 2560)],
)
def test_parameters_are_as_many_as_torchvisions(
    request, fixture, params_of_torchvision, channels
):
    model = request.getfixturevalue(fixture)
    weights = [v for stage in model.stages for v in stage.weights]
    count = sum(np.prod(v.shape) for v in weights if "moving" not in v.name)
    assert count == params_of_torchvision - (channels + 1) * 1000


@pytest.mark.parametrize(
    ("number", "channels", "num_blocks"),
    [
        (0, 1280, 16),
        (1, 1280, 23),
        (2, 1408, 23),
        (3, 1536, 26),
        (4, 1792, 32),
        (5, 2048, 39),
        (6, 2304, 45),
        (7, 2560, 55),
    ],
)
def test_channels_and_blocks_of_every_size(number, channels, num_blocks):
    spec = backbone_spec(f"EfficientNet_B{number}")
    assert spec.feature_channels == channels
    squeezes = [module for module, _ in spec.modules if module.endswith("fc1")]
    assert len(squeezes) == num_blocks


@pytest.mark.parametrize(
    ("fixture", "epsilon", "momentum"), [("b0", 1e-5, 0.9), ("b7", 1e-3, 0.99)]
)
def test_batch_norms_are_those_of_torchvision(request, fixture, epsilon, momentum):
    norms = all_layers(request.getfixturevalue(fixture), FusedBatchNormalization)
    assert {(norm.epsilon, norm.momentum) for norm in norms} == {(epsilon, momentum)}


def test_names_in_the_layouts(b0):
    names = {}
    for layout in (BARE_BACKBONE, COSPLACE, DIVIDE_AND_CLASSIFY):
        names[layout.name] = [entry.key for entry in encoder_entries(b0, layout)]
    last = "6.3.block.2.fc2.bias"
    assert f"features.{last}" in names[BARE_BACKBONE.name]
    assert f"backbone.0.{last}" in names[COSPLACE.name]
    assert f"backbone.{last}" in names[DIVIDE_AND_CLASSIFY.name]


# === Stochastic depth ===


def test_drop_rates_grow_with_depth(b0):
    rates = {layer.name: layer.rate for layer in all_layers(b0, keras.layers.Dropout)}
    # Block 2 of 16 is the first with a residual branch, block 14 the last.
    assert len(rates) == 9
    assert rates["block2b_drop"] == pytest.approx(0.2 * 2 / 16)
    assert rates["block6d_drop"] == pytest.approx(0.2 * 14 / 16)


def test_whole_branches_are_dropped_image_by_image(b0):
    dropout = b0.stages[6].get_layer("block6d_drop")
    branch = np.ones((400, 3, 2, 4), "float32")
    np.testing.assert_array_equal(dropout(branch, training=False), branch)
    dropped = np.asarray(dropout(branch, training=True))
    factors = dropped[:, 0, 0, 0]
    np.testing.assert_array_equal(dropped, factors[:, None, None, None] * branch)
    kept = factors > 0
    np.testing.assert_allclose(factors[kept], 1 / (1 - dropout.rate), rtol=1e-6)
    assert 0.1 < 1 - kept.mean() < 0.25


def test_drops_follow_the_seed():
    plan = EfficientNetPlan(
        stem_filters=8,
        stacks=(Stack(3, 8, 3, 1, 1),),
        top_filters=8,
        activation="silu",
        squeeze_and_excite=True,
        symmetric_padding=True,
        bn_epsilon=1e-5,
        bn_momentum=0.9,
        last_drop_rate=0.9,
    )
    images = np.random.default_rng(0).random((8, 8, 8, 3), "float32")
    outputs = []
    for seed in (1, 1, 2):
        keras.utils.set_random_seed(seed)
        stem, stack, _ = build_stages(plan, (None, None, 3))
        # Blocks and maps are the same each time; only what is dropped may differ.
        keras.utils.set_random_seed(0)
        for variable in (*stem.weights, *stack.weights):
            variable.assign(keras.random.uniform(variable.shape))
        outputs.append(np.asarray(stack(stem(images), training=True)))
    np.testing.assert_array_equal(outputs[0], outputs[1])
    assert np.abs(outputs[0] - outputs[2]).max() > 0


# === ImageNet weights ===


def test_preset_gives_the_features_of_its_backbone(b0, tmp_path):
    network = EfficientNetBackbone(**B0_OF_KERAS_HUB)
    rng = np.random.default_rng(0)
    for variable in network.weights:
        if "moving" in variable.path:
            variable.assign(0.5 + rng.random(variable.shape, "float32"))
    network.save_to_preset(str(tmp_path / "preset"))
    load_weights(b0, f"preset:{tmp_path / 'preset'}")
    x = rng.random((1, 64, 96, 3), "float32")
    features = x
    for stage in b0.stages:
        features = stage(features)
    expected = np.asarray(network(x))
    atol = 1e-4 * np.abs(expected).max()
    np.testing.assert_allclose(features, expected, rtol=0, atol=atol)


def test_preset_of_another_padding_or_epsilon_is_refused(b0, monkeypatch):
    network = types.SimpleNamespace(
        include_stem_padding=False,
        stem_conv_padding="same",
        stackwise_block_types=["v1"] * 7,
        batch_norm_epsilon=1e-3,
        weights=[],
    )
    monkeypatch.setattr(
        "keras_hub.models.Backbone.from_preset", lambda *args, **kwargs: network
    )
    with pytest.raises(
        ValueError,
        match=r"include_stem_padding: expected True, received False[\s\S]*"
        r"batch_norm_epsilon: expected 1e-05, received 0\.001",
    ):
        load_weights(b0, "imagenet")


def test_imagenet_weights_that_no_preset_has(b7):
    with pytest.raises(ValueError, match=r"equals EfficientNet_B7.*\.pth.*torchvision"):
        load_weights(b7, "imagenet")
