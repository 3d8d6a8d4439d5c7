"""Training on batches of cliques: when they are renewed, and that a run resumes."""

import json

import keras
import numpy as np
import pytest

from tests.small_training import build_small_encoder
from vpr_tf.config import (
    AugmentationConfig,
    CliqueSamplingConfig,
    ConfigError,
    OptimizerConfig,
    TrainConfig,
)
from vpr_tf.stored_values import StoredValueError
from vpr_tf.training.checkpoints import CheckpointStore
from vpr_tf.training.encoders import identity_encoder
from vpr_tf.training.errors import TrainingError
from vpr_tf.training.group_trainer import GroupTrainer
from vpr_tf.training.process import create_strategy

CLIQUES = CliqueSamplingConfig(clique_size=2, renew_every_steps=3)
CONFIG = TrainConfig(
    groups_num=1,
    epochs=4,
    iterations_per_epoch=5,
    batch_size=4,
    photos_per_class=2,
    image_size=32,
    sampling=CLIQUES,
    objectives=[{"name": "multi_similarity"}],
    encoder_optimizer=OptimizerConfig(name="SGD", learning_rate=0.5),
    augmentation=AugmentationConfig(0.2, 0.2, 0, 0, 0),
)


def trainer_of(dataset, descriptors=None, **changes):
    keras.utils.set_random_seed(5)
    return GroupTrainer(
        build_small_encoder if descriptors is None else lambda: identity_encoder(8),
        dataset.split("train"),
        dataset.partition("cosplace"),
        TrainConfig(**(vars(CONFIG) | changes)),
        3,
        create_strategy("one_device"),
        descriptors,
    )


def losses_of(trainer, epochs):
    losses = []
    for _ in range(epochs):
        losses += [result.loss for result in trainer.train_epoch()]
        trainer.progress.finish_epoch()
    return losses


def test_a_resumed_run_has_the_losses_of_one_that_went_on(
    small_training_dataset, tmp_path
):
    # After step 2 the cliques are those of other weights, after step 3 they are due.
    stops = (2, 3)
    whole = trainer_of(small_training_dataset)
    losses, states = [], []
    for result in whole.train_epoch(finish_before=lambda step: step in stops):
        losses.append(result.loss)
        states.append(whole.renewals.miner.serialize())
        if result.step in stops:
            CheckpointStore(whole, tmp_path / str(result.step)).save()
    for stop in stops:
        resumed = trainer_of(small_training_dataset)
        assert CheckpointStore(resumed, tmp_path / str(stop)).restore_latest()
        assert resumed.renewals.miner.serialize() == states[stop - 1]
        after = [result.loss for result in resumed.train_epoch()]
        np.testing.assert_allclose(after, losses[stop:], rtol=1e-6)
        assert resumed.renewals.miner.serialize() == whole.renewals.miner.serialize()
    assert len(set(states)) == 2


def test_cliques_are_renewed_by_the_encoder_as_it_is(
    small_training_dataset, monkeypatch
):
    trainer = trainer_of(small_training_dataset)
    found, describe = [], trainer.renewals.miner._describe

    def described(rows):
        progress, values = trainer.progress, describe(rows)
        found.append((progress.epoch, progress.step_in_epoch, rows, values))
        return values

    monkeypatch.setattr(trainer.renewals.miner, "_describe", described)
    trainer.first_images()
    losses_of(trainer, 2)
    assert [one[:2] for one in found] == [(0, 0), (0, 3), (1, 0), (1, 3)]
    split = small_training_dataset.split("train")
    *_, rows, values = found[-1]
    assert values.shape == (len(rows), 8)
    untrained = trainer_of(small_training_dataset).renewals.miner._describe(rows)
    assert not np.allclose(values, untrained)
    np.testing.assert_allclose(describe(rows[::-1])[::-1], describe(rows), atol=1e-6)
    assert len(split) > len(rows) == 4  # a photo a class


def test_batches_hold_cliques(small_training_dataset):
    trainer = trainer_of(small_training_dataset, batch_size=8)
    (batch,) = next(iter(trainer_first_batches(trainer)))
    classes = batch[1]["class_index"].numpy()
    pairs = {tuple(pair) for pair in classes[::2].reshape(-1, 2).tolist()}
    assert pairs == {
        tuple(clique) for clique in trainer.renewals.miner.cliques(0).tolist()
    }


def trainer_first_batches(trainer):
    trainer.first_images()
    return trainer._pipeline(trainer.config.batch_size)


def test_replicas_and_workers_draw_what_one_device_draws(small_training_dataset):
    trainer = trainer_of(small_training_dataset)
    trainer.first_images()

    def drawn(**shares):
        batches = trainer._pipeline(16, **shares)
        return [(x.numpy(), y["class_index"].numpy()) for ((x, y),) in batches]

    whole = drawn()
    of_replicas = drawn(num_replicas=2)
    pairs = zip(of_replicas[::2], of_replicas[1::2], strict=True)
    workers = [
        drawn(num_replicas=2, num_input_pipelines=2, input_pipeline_id=number)
        for number in range(2)
    ]
    for parts in (pairs, zip(*workers, strict=True)):
        for (first, second), batch in zip(parts, whole, strict=True):
            for one, other, expected in zip(first, second, batch, strict=True):
                np.testing.assert_array_equal(np.concatenate([one, other]), expected)


def test_stored_descriptors_are_taken_as_they_are(small_training_dataset):
    count = len(small_training_dataset.split("train"))
    descriptors = np.random.default_rng(0).normal(size=(count, 8)).astype(np.float32)
    trainer = trainer_of(
        small_training_dataset,
        descriptors=descriptors,
        input="descriptors",
        objectives=[{"name": "class_heads"}],
    )
    assert len(losses_of(trainer, 1)) == 5


def test_classes_that_lie_too_near_are_told(small_training_dataset):
    sampling = CliqueSamplingConfig(clique_size=2, min_distance_m=1e6)
    trainer = trainer_of(small_training_dataset, sampling=sampling)
    with pytest.raises(TrainingError, match=r"of 4 classes of group 0 .* 0 could be"):
        trainer.first_images()


@pytest.mark.parametrize(
    "change", [{"epoch": "x"}, {"cliques": [[[0, 9]]]}, {"cliques": [[[0, 0]]]}]
)
def test_stored_cliques_of_other_classes_are_refused(small_training_dataset, change):
    trainer = trainer_of(small_training_dataset)
    trainer.first_images()
    stored = json.loads(trainer.renewals.miner.serialize())
    with pytest.raises(StoredValueError):
        trainer.renewals.miner.deserialize(json.dumps(stored | change))
    trainer.renewals.miner.deserialize(json.dumps(stored))


@pytest.mark.parametrize(
    ("sampling", "changes", "reason"),
    [
        ({"clique_size": 3}, {}, "a divisor of the classes in a batch, 2"),
        ({"clique_size": 1}, {}, "clique_size` must be 2 or more"),
        ({"renew_every_steps": 0}, {}, "renew_every_steps` must be 1 or more"),
        ({"min_distance_m": -1.0}, {}, "min_distance_m` must be between 0"),
        ({"pool_classes": 1}, {}, "pool_classes` must be 2 or more"),
        (
            {},
            {"objectives": [{"name": "vicreg"}]},
            "no entry of `train.objectives` tells classes apart",
        ),
    ],
)
def test_what_has_no_meaning_is_refused(sampling, changes, reason):
    with pytest.raises(ConfigError, match=reason):
        TrainConfig(**(vars(CONFIG) | changes | {"sampling": sampling_of(sampling)}))


def sampling_of(fields):
    return CliqueSamplingConfig(**({"clique_size": 2} | fields))
