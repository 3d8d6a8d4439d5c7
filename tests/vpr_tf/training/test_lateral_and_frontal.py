"""Training on eigenplaces: a lateral and a frontal batch in each step."""

import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from data_prep.partition.assignment import add_partition
from tests.small_training import build_small_encoder
from vpr_tf.config import (
    ConfigError,
    EigenPlacesConfig,
    MarginHeadConfig,
    OptimizerConfig,
    TrainConfig,
)
from vpr_tf.data.prepared_dataset import PreparedDataset
from vpr_tf.training.checkpoints import CheckpointStore
from vpr_tf.training.group_trainer import GroupTrainer
from vpr_tf.training.process import create_strategy

SGD = OptimizerConfig(name="SGD", learning_rate=0.5)
CONFIG = TrainConfig(
    groups_num=2,
    epochs=4,
    iterations_per_epoch=3,
    batch_size=4,
    image_size=32,
    encoder_optimizer=SGD,
    head_optimizer=SGD,
    head=MarginHeadConfig(scale=5.0, margin=0.1),
)
PARTITION = EigenPlacesConfig(
    name="eigen",
    cell_size_m=10,
    cell_stride=2,
    min_images_per_class=2,
    largest_turn_deg=180.0,
)


@pytest.fixture(scope="module")
def dataset(small_training_dataset, tmp_path_factory):
    path = tmp_path_factory.mktemp("eigen") / "dataset"
    shutil.copytree(small_training_dataset.path, path)
    add_partition(path, PARTITION)
    return PreparedDataset(path)


def trainer_of(dataset, **changes):
    keras.utils.set_random_seed(5)
    return GroupTrainer(
        lambda: build_small_encoder(None),
        dataset.split("train"),
        dataset.partition("eigen"),
        TrainConfig(**(vars(CONFIG) | changes)),
        3,
        create_strategy("one_device"),
    )


def weights_of(trainer):
    of_heads = [weight for head in trainer.heads for weight in head.weights]
    variables = [*trainer.encoder.weights, *of_heads]
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


def test_a_step_adds_up_the_gradients_of_two_batches(dataset):
    trainer, other = trainer_of(dataset), trainer_of(dataset)
    batches = list(next(iter(other._pipeline(CONFIG.batch_size))))
    assert len(batches) == 2
    assert len(trainer.heads) == 4
    encoder = other.encoder
    trained = [v.value for v in encoder.trainable_variables]
    expected, loss = [0.0] * len(trained), 0.0
    for head, (images, targets) in zip(other.heads, batches, strict=False):
        with tf.GradientTape(persistent=True) as tape:
            losses = head.loss(encoder(images, training=True), targets["class_index"])
            mean = tf.reduce_mean(losses)
        loss += float(mean)
        found = tape.gradient(mean, trained)
        expected = [total + one for total, one in zip(expected, found, strict=True)]
        of_head = tape.gradient(mean, [v.value for v in head.trainable_variables])
        for variable, gradient in zip(head.trainable_variables, of_head, strict=True):
            variable.assign(variable - SGD.learning_rate * gradient)
    for variable, gradient in zip(trained, expected, strict=True):
        variable.assign(variable - SGD.learning_rate * gradient)
    result = next(trainer.train_epoch(finish_before=lambda step: True))
    assert result.loss == pytest.approx(loss, rel=1e-5)
    for mine, theirs in zip(weights_of(trainer), weights_of(other), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-5)


def test_a_resumed_run_has_the_losses_of_one_that_went_on(dataset, tmp_path):
    trainer = trainer_of(dataset)
    losses = []
    for _ in range(3):
        losses += [result.loss for result in trainer.train_epoch()]
        trainer.progress.finish_epoch()
    first = trainer_of(dataset)
    steps = first.train_epoch(finish_before=lambda step: step == 2)
    before = [next(steps).loss, next(steps).loss]
    CheckpointStore(first, tmp_path).save()
    second = trainer_of(dataset)
    assert CheckpointStore(second, tmp_path).restore_latest()
    after = []
    for _ in range(3):
        after += [result.loss for result in second.train_epoch()]
        second.progress.finish_epoch()
    np.testing.assert_allclose([*before, *after], losses, rtol=1e-6)


def test_both_groups_of_a_pair_have_a_head(dataset):
    partition = dataset.partition("eigen")
    assert trainer_of(dataset).classes_per_group == [
        len(partition.classes_of_group(group)) for group in range(4)
    ]


def test_more_pairs_than_there_are_are_refused(dataset):
    with pytest.raises(ConfigError, match="between 1 and 2, the number of sets of 2"):
        trainer_of(dataset, groups_num=3)
