"""Training against a classifier of domains, through the real input pipeline."""

import dataclasses

import keras
import numpy as np
import pytest

from tests.small_training import build_small_encoder
from vpr_tf.config import ConfigError, OptimizerConfig, TargetConfig, TrainConfig
from vpr_tf.data.image_batches import SplitImages
from vpr_tf.training.checkpoints import CheckpointStore
from vpr_tf.training.group_trainer import GroupTrainer
from vpr_tf.training.process import create_strategy

BOTH = [{"name": "class_heads"}, {"name": "domain_adversarial", "hidden_units": 4}]
CONFIG = TrainConfig(
    groups_num=1,
    epochs=4,
    iterations_per_epoch=3,
    batch_size=4,
    image_size=16,
    objectives=BOTH,
    target=TargetConfig("val-queries", photos_per_batch=2),
    encoder_optimizer=OptimizerConfig("SGD", learning_rate=0.1),
)


@pytest.fixture
def make_trainer(small_training_dataset):
    dataset = small_training_dataset

    def make(functions=(), **changes):
        keras.utils.set_random_seed(5)
        return GroupTrainer(
            build_small_encoder,
            dataset.split("train"),
            dataset.partition("cosplace"),
            dataclasses.replace(CONFIG, **changes),
            7,
            create_strategy("one_device"),
            objectives=functions,
            target=SplitImages(dataset.split("val-queries")),
        )

    return make


def test_heads_and_domains_train_together_and_resume_exactly(make_trainer, tmp_path):
    trainer, resumed = make_trainer(), make_trainer()
    before = [v.numpy() for v in trainer.objectives[0][1].variables]
    first = list(trainer.train_epoch())
    assert list(first[0].each) == ["class_heads", "domain_adversarial"]
    after = [v.numpy() for v in trainer.objectives[0][1].variables]
    assert all(np.abs(a - b).max() > 0 for a, b in zip(after, before, strict=True))
    trainer.progress.finish_epoch()
    CheckpointStore(trainer, tmp_path).save()
    losses = [result.loss for result in trainer.train_epoch()]
    assert CheckpointStore(resumed, tmp_path).restore_latest()
    assert [result.loss for result in resumed.train_epoch()] == losses


def test_chunks_hold_photos_of_both_domains(make_trainer):
    whole, chunked = make_trainer(), make_trainer(gradient_cache_chunk=6)
    for trainer in (whole, chunked):
        trainer.losses = [result.loss for result in trainer.train_epoch()]
    assert chunked.losses == pytest.approx(whole.losses, rel=1e-4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"objectives": BOTH[1:]}, "domain_adversarial alone, by which descriptors"),
        ({"gradient_cache_chunk": 4}, "a replica, 6. Received: 4"),
    ],
)
def test_what_cannot_be_learnt_is_refused(make_trainer, changes, message):
    with pytest.raises(ConfigError, match=message):
        make_trainer(**changes)


def test_a_function_may_learn_the_places(make_trainer):
    def spread(descriptors, labels):
        assert descriptors.shape[0] == labels.shape[0] == 4
        return keras.ops.sum(descriptors)

    trainer = make_trainer([spread], objectives=BOTH[1:])
    assert np.isfinite(next(trainer.train_epoch()).loss)
