"""Training runs whose heads are kept and answer."""

import json

import numpy as np
import pytest
import tensorflow as tf

from data_prep.partition.assignment import add_partition
from tests.small_training import build_small_encoder, small_config
from vpr_tf.classification import load_heads
from vpr_tf.config import (
    ClassificationConfig,
    ConfigError,
    CosPlaceConfig,
    DivideAndClassifyConfig,
)
from vpr_tf.training import encoders
from vpr_tf.training import train as train_module
from vpr_tf.training.errors import TrainingInterruptedError
from vpr_tf.training.run_folder import RunFolder
from vpr_tf.training.train import train

CLASSIFY = ("evaluation.method=classification", "evaluation.recall_values=[1,5]")
CALM = tuple(
    f"train.augmentation.{name}=0.1"
    for name in ("brightness", "contrast", "saturation", "hue", "random_resized_crop")
)
CELLS = DivideAndClassifyConfig(name="dc", cell_stride=2, min_images_per_class=2)
ONE_GROUP = CosPlaceConfig(name="rigid", cell_stride=1, min_images_per_class=2)


@pytest.fixture
def dataset(small_training_dataset):
    for partition in (CELLS, ONE_GROUP):
        add_partition(small_training_dataset.path, partition)
    return small_training_dataset


@pytest.fixture
def run_training(dataset, monkeypatch, tmp_path):
    for module in (train_module, encoders):
        monkeypatch.setattr(module, "build_encoder", build_small_encoder)

    def run(*overrides, **how):
        config = small_config(tmp_path, dataset.path, *CLASSIFY, *overrides)
        return config, RunFolder(train(config, **how).run)

    return run


def test_heads_are_kept_and_answer(run_training):
    _, run = run_training(
        "dataset.partition=dc",
        "train.head.name=angular_margin",
        "train.head.scale=10",
        "train.head.margin=0.1",
        "train.epochs=6",
        "train.iterations_per_epoch=30",
        "train.batch_size=8",
        "train.export=best",
        *CALM,
    )

    metrics = json.loads(run.metrics_file.read_text())
    assert metrics["tests"]["test"]["method"] == "classification"
    results = metrics["tests"]["test"]
    # Eight places 30 m apart: chance is 12.5 %.
    assert results["recalls"]["1"] >= 50
    assert results["num_database"] == 8
    assert "val LR@1" in run.log_file.read_text()
    assert (run.best / "classifier" / "calibration.json").is_file()
    served = tf.saved_model.load(metrics["savedmodel"]).signatures["places"]
    answer = served(images=tf.zeros([1, 32, 32, 3]))
    assert answer["latitude"].shape == (1, 8)
    assert 0 <= answer["confidence"][0] <= 1
    heads = load_heads(run.path, ClassificationConfig())
    assert [head.kind for head in heads.heads] == ["cosine", "cosine"]
    (file,) = run.report.glob("*/*/results.md")
    table = file.read_text()
    assert "LR@1" in table
    assert "places" in table


@pytest.mark.parametrize(
    "head",
    [
        "von_mises_fisher",
        "soft_labels",
        "direct_regression",
        "unit_regression",
        "hypersphere_regression",
    ],
)
def test_heads_of_places_train_on_descriptors_that_stay(run_training, head, tmp_path):
    _, run = run_training(
        "dataset.partition=rigid",
        "train.groups_num=1",
        "train.input=descriptors",
        f"train.head.name={head}",
        "train.head.hidden_layers=1",
        "train.head_optimizer.learning_rate=0.02",
        "train.epochs=3",
        "train.iterations_per_epoch=60",
        "train.batch_size=8",
        "train.schedule.name=reduce_on_plateau",
        "train.schedule.monitor=val_loss",
        "train.schedule.patience_epochs=0",
    )

    losses = np.loadtxt(run.losses_file, delimiter=",", skiprows=1)[:, -1]
    assert losses[-20:].mean() < losses[:20].mean()
    epochs = json.loads(run.metrics_file.read_text())["epochs"]
    val_losses = [epoch["val_loss"] for epoch in epochs]
    assert val_losses[-1] < val_losses[0]
    assert f"val loss {val_losses[0]:.3f}" in run.log_file.read_text()
    tests = json.loads(run.metrics_file.read_text())["tests"]
    assert tests["test"]["recalls"]["1"] >= 25  # chance is 12.5
    assert list((tmp_path / "runs" / "train_descriptors").iterdir())


def test_a_loss_that_cannot_be_watched_is_refused_before_the_run(
    run_training, tmp_path, monkeypatch
):
    monkeypatch.setattr(train_module.ValLoss, "num_photos", property(lambda loss: 0))
    with pytest.raises(ConfigError, match="monitor: val_recall"):
        run_training(
            "dataset.partition=dc",
            "train.schedule.name=reduce_on_plateau",
            "train.schedule.monitor=val_loss",
        )
    assert not (tmp_path / "runs").exists()


def test_an_interrupted_run_goes_on_to_the_same_heads(run_training):
    settings = ("dataset.partition=dc", "train.head.name=cross_entropy")
    _, whole = run_training(*settings)

    class Stop(train_module.keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            raise KeyboardInterrupt

    with pytest.raises(TrainingInterruptedError):
        run_training(*settings, callbacks=[Stop()])
    _, resumed = run_training(*settings, resume=True)

    assert resumed.path != whole.path
    expected, found = (
        load_heads(run.path, ClassificationConfig()) for run in (whole, resumed)
    )
    for head, other in zip(expected.heads, found.heads, strict=True):
        np.testing.assert_array_equal(head.kernel, other.kernel)
