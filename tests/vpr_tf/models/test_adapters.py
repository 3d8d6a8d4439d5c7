import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.vpr_tf.models.backbones.tiny_transformers import configurable
from vpr_tf.config import (
    AdaptersConfig,
    ConfigError,
    EncoderConfig,
    LoraConfig,
    config_from_values,
)
from vpr_tf.models import (
    GeoLocalizationNet,
    build_encoder,
    build_with_lora,
    encoder_fingerprint,
    load_weights,
    merged_weights,
    read_keras_file,
)
from vpr_tf.models.convert import convert_to_torch

RESNET = {"backbone": "ResNet18", "train_from_stage": 5}
IMAGES = np.random.default_rng(0).random((2, 56, 56, 3), "float32")


@pytest.fixture(params=["TinyDINOv2_reg4", "TinyViT"])
def config(request, monkeypatch):
    name = configurable(request.param, monkeypatch)
    adapters = AdaptersConfig(hidden_dim=3, from_stage=2)
    return EncoderConfig(name, 4, train_from_stage=3, weights="none", adapters=adapters)


def build(config):
    keras.utils.set_random_seed(0)
    return build_encoder(config)


def of_adapters(encoder):
    """Ids of the variables of the only adapter."""
    variables = encoder.stages[2].get_layer("adapter").weights
    assert len(variables) == 6
    return set(map(id, variables))


def randomize(encoder):
    rng = np.random.default_rng(1)
    for variable in encoder.trainable_variables:
        variable.assign(rng.normal(variable.numpy(), 0.3))


@pytest.mark.parametrize("bn_mode", ["torch", "keras"])
def test_adapters_alone_train_of_the_backbone(config, bn_mode):
    encoder = build(dataclasses.replace(config, bn_mode=bn_mode))
    of_stages = [v for stage in encoder.stages for v in stage.trainable_variables]
    assert set(map(id, of_stages)) == of_adapters(encoder)
    randomize(encoder)
    with tf.GradientTape() as tape:
        loss = keras.ops.sum(encoder(IMAGES, training=True)[:, 0])
    gradients = tape.gradient(loss, [v.value for v in encoder.trainable_variables])
    assert all(np.abs(gradient).max() > 0 for gradient in gradients)


def test_files_start_an_encoder_and_hold_its_adapters(config, tmp_path):
    plain = build(dataclasses.replace(config, adapters=None))
    plain.save(tmp_path / "plain.keras")
    encoder = build(config)
    load_weights(encoder, str(tmp_path / "plain.keras"))
    np.testing.assert_allclose(encoder(IMAGES), plain(IMAGES), atol=1e-6)
    randomize(encoder)
    assert np.abs(encoder(IMAGES) - plain(IMAGES)).max() > 0.01
    encoder.save(tmp_path / "adapted.keras")
    read = read_keras_file(tmp_path / "adapted.keras")
    np.testing.assert_array_equal(read(IMAGES), encoder(IMAGES))
    assert encoder_fingerprint(read) == encoder_fingerprint(encoder)
    other = build(dataclasses.replace(config, adapters=AdaptersConfig(5, 2)))
    with pytest.raises(ValueError, match=r"(?s)another encoder.*adapters: expected"):
        load_weights(other, str(tmp_path / "adapted.keras"))
    with pytest.raises(ValueError, match="No official code"):
        convert_to_torch(tmp_path / "adapted.keras", tmp_path / "x.safetensors", None)
    with pytest.raises(ValueError, match="has no adapters; this encoder has"):
        convert_to_torch(
            tmp_path / "adapted.keras", tmp_path / "x.safetensors", "cosplace"
        )


def test_lora_and_adapters_go_together(config):
    lora = LoraConfig(rank=2)
    keras.utils.set_random_seed(0)
    trained = build_with_lora(dataclasses.replace(config, lora=lora), lora)
    of_stages = [v for stage in trained.stages for v in stage.trainable_variables]
    others = [v for v in of_stages if id(v) not in of_adapters(trained)]
    assert len(of_stages) == 8 + 6
    assert all("/lora_kernel_" in variable.path for variable in others)
    randomize(trained)
    plain = build(config)
    plain.set_weights(merged_weights(trained, lambda v: v.numpy()))
    np.testing.assert_allclose(plain(IMAGES), trained(IMAGES), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("adapters", "changes", "message"),
    [
        ({}, RESNET, r"encoder\.backbone.*`encoder\.adapters`"),
        ({}, {"train_from_stage": 9}, r"encoder\.train_from_stage.*be 13, which.*9"),
        ({"from_stage": 13}, {}, r"encoder\.adapters\.from_stage.*1 to 12.*: 13"),
        ({"hidden_dim": 0}, {}, r"encoder\.adapters\.hidden_dim.*: 0"),
        ({"hiden_dim": 4}, {}, r"no field `encoder\.adapters\.hiden_dim`.*hidden_dim"),
    ],
)
def test_what_cannot_be_added_is_refused(adapters, changes, message):
    values = {"backbone": "DINOv2_B14", "train_from_stage": 13}
    encoder = {**values, **changes, "adapters": adapters}
    with pytest.raises(ConfigError, match=message):
        config_from_values({"name": "x", "dataset": {"path": "x"}, "encoder": encoder})


def test_a_convolutional_network_is_refused():
    with pytest.raises(ValueError, match=r"`adapters` need .*: ResNet18"):
        GeoLocalizationNet("ResNet18", 8, adapters={"hidden_dim": 4})
