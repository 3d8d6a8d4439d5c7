import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.vpr_tf.models.backbones.tiny_transformers import configurable
from vpr_tf.config import (
    AGGREGATIONS,
    ConfigError,
    EncoderConfig,
    LoraConfig,
    config_from_values,
)
from vpr_tf.models import build_encoder, build_with_lora, merged_weights
from vpr_tf.models.lora import _enable_lora

ALL_TARGETS = ["query", "key", "value", "output", "mlp"]
IMAGES = np.random.default_rng(0).random((2, 56, 56, 3), "float32")


@pytest.fixture(params=["TinyDINOv2_reg4", "TinyViT"])
def config(request, monkeypatch):
    """An encoder of two blocks, all frozen."""
    name = configurable(request.param, monkeypatch)
    return EncoderConfig(name, 4, train_from_stage=3, weights="none")


def numpy(variable):
    return variable.numpy()


def build_pair(config, lora):
    keras.utils.set_random_seed(0)
    trained = build_with_lora(config, lora)
    plain = build_encoder(config)
    plain.set_weights(merged_weights(trained, numpy))
    return trained, plain


@pytest.mark.parametrize("alpha", [None, 16])
def test_merged_weights_give_the_same_descriptors(config, alpha):
    lora = LoraConfig(rank=2, alpha=alpha, targets=ALL_TARGETS)
    trained, plain = build_pair(config, lora)
    start = plain(IMAGES).numpy()
    np.testing.assert_array_equal(trained(IMAGES), start)
    rng = np.random.default_rng(1)
    for variable in trained.trainable_variables:
        variable.assign(rng.normal(variable.numpy(), 0.3))
    plain.set_weights(merged_weights(trained, numpy))
    np.testing.assert_allclose(plain(IMAGES), trained(IMAGES), rtol=0, atol=1e-6)
    assert np.abs(plain(IMAGES) - start).max() > 0.01


@pytest.mark.parametrize(("from_stage", "bn_mode"), [(1, "torch"), (2, "keras")])
def test_nothing_else_of_the_backbone_trains(config, from_stage, bn_mode):
    config = dataclasses.replace(config, bn_mode=bn_mode)
    encoder, _ = build_pair(config, LoraConfig(from_stage=from_stage))
    of_stages = [v.path for stage in encoder.stages for v in stage.trainable_variables]
    layers = 2 * (3 - from_stage)  # query and value of each block
    assert len(of_stages) == 2 * layers
    assert all("/lora_kernel_" in path for path in of_stages)
    others = {v.path for v in encoder.trainable_variables} - set(of_stages)
    assert others == {"aggregation/p", "projection/kernel", "projection/bias"}
    with tf.GradientTape() as tape:
        loss = keras.ops.sum(encoder(IMAGES, training=True)[:, 0])
    gradients = tape.gradient(loss, [v.value for v in encoder.trainable_variables])
    assert all(gradient is not None for gradient in gradients)


def test_inserted_tokens_train_in_a_frozen_backbone(config):
    tokens = {"name": "aggregation_tokens", "num_tokens": 2, "before_block": 1}
    config = dataclasses.replace(
        config,
        descriptor_dim=None,
        aggregation=AGGREGATIONS.create(**tokens),
        lora=LoraConfig(from_stage=2),
    )
    encoder, _ = build_pair(config, config.lora)
    names = sorted(v.path.split("/")[-1] for v in encoder.trainable_variables)
    assert names == ["lora_kernel_a"] * 2 + ["lora_kernel_b"] * 2 + ["tokens"]
    with pytest.raises(ConfigError, match=r"lora\.from_stage.*at most 1.*: 2"):
        dataclasses.replace(
            config, aggregation=AGGREGATIONS.create(**tokens | {"before_block": 0})
        )


@pytest.mark.parametrize(
    ("lora", "changes", "message"),
    [
        ({}, {"backbone": "ResNet18"}, r"encoder\.backbone.*`encoder\.lora`.*ResNet18"),
        ({}, {"train_from_stage": 2}, r"encoder\.train_from_stage.*be 3, which fre.*2"),
        ({"from_stage": 3}, {}, r"encoder\.lora\.from_stage.*1 to 2.*: 3"),
        ({"from_stage": 0}, {}, r"encoder\.lora\.from_stage.*1 to 2.*: 0"),
        ({"rank": 0}, {}, r"encoder\.lora\.rank.*: 0"),
        ({"alpha": 0}, {}, r"encoder\.lora\.alpha.*above 0"),
        ({"targets": []}, {}, r"encoder\.lora\.targets.*\[\]"),
        ({"targets": ["querry"]}, {}, r"encoder\.lora\.targets.*querry"),
        ({"targets": ["mlp", "mlp"]}, {}, r"encoder\.lora\.targets.*each once"),
        ({"r": 4}, {}, r"no field `encoder\.lora\.r`.*Known: rank"),
    ],
)
def test_what_cannot_be_changed_is_refused(lora, changes, message):
    values = {"backbone": "DINOv2_B14", "last_stage": 2, "train_from_stage": 3}
    encoder = {**values, **changes, "lora": lora}
    with pytest.raises(ConfigError, match=message):
        config_from_values({"name": "x", "dataset": {"path": "x"}, "encoder": encoder})


def test_fixed_descriptors_are_refused():
    encoder = {"backbone": "DINOv2_B14", "train_from_stage": 13, "lora": {"rank": 2}}
    values = {"name": "x", "dataset": {"path": "x"}, "encoder": encoder}
    assert config_from_values(values).encoder.lora == LoraConfig(rank=2)
    with pytest.raises(ConfigError, match=r"train\.input.*images with `encoder\.lora`"):
        config_from_values({**values, "train": {"input": "descriptors"}})


def test_a_network_without_blocks_is_refused():
    with pytest.raises(ValueError, match=r"LoRA needs .*: EfficientNetLite0"):
        _enable_lora(build_encoder(EncoderConfig("EfficientNetLite0")), LoraConfig())
