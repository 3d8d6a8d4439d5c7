import keras
import numpy as np
import pytest
from keras_hub.models import ResNetBackbone

from tests.vpr_tf.models.torch_weights.legacy_pth_files import (
    fake_torch,
    write_state_dict,
)
from vpr_tf.config import EncoderConfig, GemConfig
from vpr_tf.models import GeoLocalizationNet, build_encoder, load_weights


def stem(descriptor_dim=8, **kwargs):
    return GeoLocalizationNet(
        "EfficientNetLite0", descriptor_dim, last_stage=0, **kwargs
    )


def assert_same_weights(model, other):
    for ours, theirs in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.fixture(scope="module")
def encoder():
    keras.utils.set_random_seed(1)
    return stem()


def test_build_encoder_follows_the_config():
    config = EncoderConfig(
        "EfficientNetLite0",
        24,
        aggregation=GemConfig(p=2.0),
        train_from_stage=3,
        bn_mode="keras",
        weights="none",
    )
    model = build_encoder(config)
    expected = {
        "backbone": "EfficientNetLite0",
        "descriptor_dim": 24,
        "aggregation": {"name": "gem", "p": 2.0},
        "train_from_stage": 3,
        "bn_mode": "keras",
    }
    assert expected.items() <= model.get_config().items()


def test_random_weights_follow_the_global_seed():
    config = EncoderConfig("EfficientNetLite0", 8, last_stage=0, weights="none")
    models = []
    for seed in (1, 1, 2):
        keras.utils.set_random_seed(seed)
        models.append(build_encoder(config))
    assert_same_weights(models[0], models[1])
    first, other = (model.get_layer("projection").kernel for model in models[1:])
    assert np.abs(first - other).max() > 0


@pytest.mark.parametrize("suffix", [".weights.h5", ".keras"])
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_saved_weights_load_under_any_policy(tmp_path, encoder, suffix, policy):
    path = tmp_path / f"encoder{suffix}"
    (encoder.save if suffix == ".keras" else encoder.save_weights)(path)
    other = stem(train_from_stage=1, bn_mode="keras", dtype=policy)
    load_weights(other, str(path))
    assert_same_weights(encoder, other)
    assert other.backbone_dtype_policy.name == policy


@pytest.mark.parametrize("suffix", [".weights.h5", ".keras"])
def test_weights_of_another_encoder_list_the_differences(tmp_path, encoder, suffix):
    path = tmp_path / f"encoder{suffix}"
    (encoder.save if suffix == ".keras" else encoder.save_weights)(path)
    other = stem(descriptor_dim=9)
    before = other.get_weights()
    pattern = r"expected 9, received 8|expected \(9,\), received \(8,\)"
    with pytest.raises(ValueError, match=pattern):
        load_weights(other, str(path))
    for ours, theirs in zip(other.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_keras_file_of_another_model_is_refused(tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.save(tmp_path / "other.keras")
    with pytest.raises(ValueError, match=r"must hold a GeoLocalizationNet.*Sequential"):
        load_weights(stem(), str(tmp_path / "other.keras"))


def test_pth_file_through_the_strict_mapping(tmp_path, monkeypatch):
    fake_torch(monkeypatch)
    write_state_dict(tmp_path / "a.pth", {"_conv_stem.weight": np.zeros(3, "<f4")})
    with pytest.raises(ValueError, match=r"_bn0\.weight: missing"):
        load_weights(stem(), str(tmp_path / "a.pth"))


@pytest.mark.parametrize(
    ("weights", "error", "message"),
    [
        ("absent.pth", FileNotFoundError, "No weights file at absent.pth"),
        ("imagnet", ValueError, "must be none, imagenet, preset:<name>, the name of"),
        ("preset:resnet_18", ValueError, "no backbone preset 'resnet_18'"),
    ],
)
def test_wrong_weights_are_one_clear_error(weights, error, message):
    with pytest.raises(error, match=message):
        load_weights(stem(), weights)


def test_damaged_h5_file_is_one_clear_error(tmp_path):
    path = tmp_path / "damaged.weights.h5"
    path.write_bytes(b"not HDF5")
    with pytest.raises(
        ValueError, match=r"damaged\.weights\.h5 must be an HDF5 file\. .*a text file"
    ):
        load_weights(stem(), str(path))


# === Presets ===


def save_resnet18_preset(folder):
    keras.utils.set_random_seed(5)
    network = ResNetBackbone([64], [7], [64, 128, 256, 512], [2, 2, 2, 2], [1, 2, 2, 2],
                             "basic_block")  # fmt: skip
    network.save_to_preset(str(folder))
    return network


def test_preset_gives_the_features_of_its_backbone(tmp_path):
    network = save_resnet18_preset(tmp_path / "preset")
    model = GeoLocalizationNet("ResNet18", 8)
    load_weights(model, f"preset:{tmp_path / 'preset'}")
    x = np.random.default_rng(0).random((1, 64, 64, 3), "float32")
    features = keras.Model(
        model.get_layer("standardize").output,
        model.get_layer("normalize_features").input,
    )
    np.testing.assert_allclose(features(x), network(x), rtol=1e-3, atol=1e-4)


def test_preset_of_another_network_lists_the_differences(tmp_path):
    save_resnet18_preset(tmp_path / "preset")
    model = GeoLocalizationNet("ResNet50", 8)
    with pytest.raises(ValueError, match=r"does not fit ResNet50[\s\S]*_3_conv/kernel"):
        load_weights(model, f"preset:{tmp_path / 'preset'}")


def test_preset_without_network_says_what_else_there_is(monkeypatch):
    def unreachable(*args, **kwargs):
        raise OSError("name resolution failed")

    monkeypatch.setattr("keras_hub.models.Backbone.from_preset", unreachable)
    with pytest.raises(ConnectionError, match=r"EfficientNetLite0.*name resolution"):
        load_weights(GeoLocalizationNet("ResNet18", 8), "imagenet")
