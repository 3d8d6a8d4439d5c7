"""Training by losses over descriptors, through the real input pipeline."""

import dataclasses
import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.small_training import build_small_encoder
from vpr_tf.config import AugmentationConfig, ConfigError, OptimizerConfig, TrainConfig
from vpr_tf.training.checkpoints import CheckpointStore
from vpr_tf.training.errors import TrainingDivergedError
from vpr_tf.training.group_trainer import GroupTrainer
from vpr_tf.training.process import create_strategy

ALL_KINDS = [
    {"name": "class_heads"},
    {"name": "multi_similarity", "miner": {"epsilon": 0.1}},
    {"name": "proxy_anchor", "weight": 0.5},
    {"name": "simclr", "weight": 0.1, "projector_dim": 6},
]
CONFIG = TrainConfig(
    groups_num=1,
    epochs=4,
    iterations_per_epoch=2,
    batch_size=4,
    photos_per_class=2,
    image_size=16,
    encoder_optimizer=OptimizerConfig("SGD", learning_rate=0.1),
    head_optimizer=OptimizerConfig("SGD", learning_rate=0.1),
)
still_encoder = functools.partial(
    build_small_encoder, type("Config", (), {"bn_mode": "keras"})
)


@pytest.fixture
def make_trainer(small_training_dataset):
    dataset = small_training_dataset

    def make(functions=(), build_encoder=build_small_encoder, **changes):
        keras.utils.set_random_seed(5)
        return GroupTrainer(
            build_encoder,
            dataset.split("train"),
            dataset.partition("cosplace"),
            dataclasses.replace(CONFIG, **changes),
            7,
            create_strategy("one_device"),
            objectives=functions,
        )

    return make


def run_epoch(trainer):
    results = list(trainer.train_epoch())
    trainer.progress.finish_epoch()
    return results


def weights(trainer):
    objectives = [v for one in trainer.objectives[0] for v in one.variables]
    return [v.numpy() for v in (*trainer.encoder.weights, *objectives)]


def test_all_kinds_train_together_and_resume_exactly(make_trainer, tmp_path):
    trainer = make_trainer(objectives=ALL_KINDS)
    (proxies,) = trainer.objectives[0][2].variables
    kernel = trainer.objectives[0][3].variables[0]
    before, kernel_before = proxies.numpy(), kernel.numpy()
    first = run_epoch(trainer)
    names = [one["name"] for one in ALL_KINDS]
    for result in first:
        assert list(result.each) == names
        total = sum(
            one.get("weight", 1.0) * result.each[one["name"]] for one in ALL_KINDS
        )
        assert result.loss == pytest.approx(total, rel=1e-5)
    assert np.abs(proxies.numpy() - before).max() > 0
    assert np.abs(kernel.numpy() - kernel_before).max() > 0

    CheckpointStore(trainer, tmp_path).save()
    expected = [result.loss for result in run_epoch(trainer)]
    resumed = make_trainer(objectives=ALL_KINDS)
    assert CheckpointStore(resumed, tmp_path).restore_latest()
    assert [result.loss for result in run_epoch(resumed)] == expected
    for value, other in zip(weights(resumed), weights(trainer), strict=True):
        np.testing.assert_array_equal(value, other)


def test_chunks_learn_what_the_whole_batch_learns(make_trainer):
    trained = [
        make_trainer(
            objectives=ALL_KINDS,
            build_encoder=still_encoder,
            gradient_cache_chunk=chunk,
        )
        for chunk in (None, 2)
    ]
    start = weights(trained[0])
    losses = [[result.loss for result in run_epoch(one)] for one in trained]
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    whole, chunked = map(weights, trained)
    for value, other, old in zip(whole, chunked, start, strict=True):
        np.testing.assert_allclose(other, value, rtol=0, atol=1e-5)
        assert np.abs(value - old).max() > 1e-4 or value.shape == (8,)


def test_chunks_move_statistics_once(make_trainer):
    """A chunk as large as the batch gives the step without chunks."""
    trained = [
        make_trainer(objectives=ALL_KINDS[:2], gradient_cache_chunk=chunk)
        for chunk in (None, 4)
    ]
    for trainer in trained:
        run_epoch(trainer)
    for value, other in zip(*map(weights, trained), strict=True):
        np.testing.assert_allclose(other, value, rtol=1e-4, atol=1e-5)


def test_a_function_is_an_objective(make_trainer):
    def mean_of_first(descriptors, labels):
        assert descriptors.dtype == tf.float32
        assert labels.dtype == tf.int32
        return tf.reduce_mean(descriptors[:, 0])

    trainer = make_trainer([mean_of_first], objectives=[])
    assert trainer.heads == trainer.head_optimizers == []
    losses = [run_epoch(trainer)[0].loss for _ in range(3)]
    assert losses[-1] < losses[0] - 0.01
    assert trainer.learning_rates[1] is None


def test_a_loss_that_is_no_number_is_named(make_trainer):
    def broken(descriptors, labels):
        return tf.reduce_sum(descriptors) * np.nan

    trainer = make_trainer([broken])
    with pytest.raises(
        TrainingDivergedError, match=r"loss is nan \(broken\) at step 1"
    ):
        next(trainer.train_epoch())


def test_steps_without_pairs_are_counted(make_trainer):
    # Of equal descriptors none is harder than another.
    entry = {"name": "contrastive", "miner": {"epsilon": 0.0}}
    trainer = make_trainer(objectives=[entry], build_encoder=constant_encoder)
    results = list(trainer.train_epoch())
    assert [result.loss for result in results] == [0.0, 0.0]
    assert trainer.progress.steps_without_pairs == 2
    trainer.progress.finish_epoch()
    assert trainer.progress.steps_without_pairs == 0


def constant_encoder():
    images = keras.Input((None, None, 3))
    pooled = keras.layers.GlobalAveragePooling2D(dtype="float32")(images)
    constant = keras.layers.Dense(
        4, kernel_initializer="zeros", bias_initializer="ones"
    )
    return keras.Model(images, constant(pooled))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"objectives": []}, r"`train.objectives` is empty"),
        (
            {"photos_per_class": 1, "gradient_cache_chunk": 3},
            "a replica, 4. Received: 3",
        ),
        (
            {"batch_size": 12, "photos_per_class": 6},
            "has 2 classes, and group 0.* has 0",
        ),
        (
            {
                "objectives": [{"name": "simclr"}],
                "augmentation": AugmentationConfig(0, 0, 0, 0, 0),
            },
            "simclr, over two views of a photo, and without augmentation",
        ),
    ],
)
def test_what_the_dataset_cannot_give_is_refused(make_trainer, changes, message):
    with pytest.raises(ConfigError, match=message):
        make_trainer(**changes)
