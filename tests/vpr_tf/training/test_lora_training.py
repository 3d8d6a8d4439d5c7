"""Runs of a frozen transformer with LoRA: what trains, and what comes out."""

import dataclasses

import keras
import numpy as np
import pytest

import vpr_tf as vpr
from tests.small_training import small_config
from tests.vpr_tf.models.backbones.tiny_transformers import configurable
from vpr_tf.export import export_model
from vpr_tf.models.convert import build_named, convert_to_keras, convert_to_torch
from vpr_tf.training.checkpoints import CheckpointStore
from vpr_tf.training.train import trainer_of

ENCODER = (
    *("encoder.last_stage=null", "encoder.train_from_stage=3"),
    "encoder.descriptor_dim=4",
    *("encoder.lora.rank=2", "encoder.lora.targets=[query,value,mlp]"),
    *("train.groups_num=1", "train.iterations_per_epoch=3"),
)


@pytest.fixture
def config(small_training_dataset, tmp_path, monkeypatch):
    backbone = configurable("TinyViT", monkeypatch)
    overrides = (f"encoder.backbone={backbone}", *ENCODER)
    return small_config(tmp_path, small_training_dataset.path, *overrides)


def run_epoch(trainer):
    losses = [result.loss for result in trainer.train_epoch()]
    trainer.progress.finish_epoch()
    return losses


def values(trainer):
    return {v.path: v.numpy() for v in trainer.encoder.weights}


def make_trainer(config):
    keras.utils.set_random_seed(config.seed)
    return trainer_of(config)


def test_a_restored_run_goes_on_exactly_and_only_lora_trains(config, tmp_path):
    trainer = make_trainer(config)
    start = values(trainer)
    run_epoch(trainer)
    CheckpointStore(trainer, tmp_path / "checkpoints").save()
    expected = run_epoch(trainer)
    resumed = make_trainer(config)
    for variable in resumed.encoder.trainable_variables:
        variable.assign(variable + 1.0)
    assert CheckpointStore(resumed, tmp_path / "checkpoints").restore_latest()
    assert run_epoch(resumed) == expected
    end = values(trainer)
    for path, value in values(resumed).items():
        np.testing.assert_array_equal(value, end[path])
    changed = {path for path, value in end.items() if (value != start[path]).any()}
    own = {"aggregation/p", "projection/kernel", "projection/bias"}
    assert changed >= own
    assert {path.split("/")[-1] for path in changed - own} == {
        "lora_kernel_a",
        "lora_kernel_b",
    }


@pytest.mark.slow
def test_exports_describe_as_the_encoder_that_trained(config, tmp_path):
    pytest.importorskip("tf2onnx")
    train = dataclasses.replace(config.train, epochs=1, export="best")
    config = dataclasses.replace(config, train=train)
    photos = list(np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), "uint8"))
    images = np.stack(photos) / np.float32(255)
    kept = []
    callback = keras.callbacks.LambdaCallback(
        on_train_end=lambda logs: kept.append(callback.model(images).numpy())
    )
    result = vpr.train(config, callbacks=[callback])
    best = vpr.load_encoder(result.run).encoder
    assert not any("lora" in variable.path for variable in best.weights)
    files = [tmp_path / name for name in ("a.keras", "b.safetensors", "c.keras")]
    best.save(files[0])
    convert_to_torch(files[0], files[1], None)
    convert_to_keras(build_named(None, config.encoder), files[1], files[2], None)
    onnx = export_model(config, result.run, name="onnx", model_format="onnx")
    for model in (result.run, result.savedmodel, onnx.version, files[0], files[2]):
        descriptors = vpr.load_encoder(model).extract(photos)
        np.testing.assert_allclose(descriptors, kept[0], rtol=0, atol=1e-5)
