"""Labels of a target's photos, by where the encoder that trains localizes them."""

import json
import logging

import keras
import numpy as np
import pytest

from tests.small_training import build_small_encoder, small_config
from vpr_tf.config import ConfigError
from vpr_tf.data.prepared_dataset import PreparedDataset
from vpr_tf.data.record_reading import stored_images
from vpr_tf.extraction import Target
from vpr_tf.stored_values import StoredValueError
from vpr_tf.training.checkpoints import CheckpointStore
from vpr_tf.training.errors import TrainingError
from vpr_tf.training.group_trainer import GroupTrainer
from vpr_tf.training.process import create_strategy
from vpr_tf.training.target_localization import TargetLocalizer

LABELS = "name: pseudo_labels"
NUM_OF_TARGET = 8


@pytest.fixture
def make_trainer(small_training_dataset, tmp_path):
    dataset = small_training_dataset

    def make(labels="start_step: 2, renew_every_steps: 2", *overrides, at_least=0.3):
        config = small_config(
            tmp_path,
            dataset.path,
            "train.target={split: test-test-queries, photos_per_batch: 2}",
            f"train.objectives=[{{name: class_heads}}, {{{LABELS}, min_confidence: "
            f"{at_least}, {labels}}}]",
            "localization.calibration=platt",
            *overrides,
        )
        target = Target.of(config.train.target, dataset)
        partition = dataset.partition("cosplace")
        keras.utils.set_random_seed(5)
        return GroupTrainer(
            build_small_encoder,
            dataset.split("train"),
            partition,
            config.train,
            config.seed,
            create_strategy("one_device"),
            target=target.photos,
            localizer=TargetLocalizer.of(config, dataset, partition, target),
        )

    return make


def names_of(split, rows):
    return [split.keys[row].decode().split("@")[1] for row in rows]


def test_photos_have_the_classes_of_their_places(make_trainer, small_training_dataset):
    trainer = make_trainer("renew_every_steps: null")
    trainer.first_images()
    train = small_training_dataset.split("train")
    target = small_training_dataset.split("test-test-queries")
    partition = small_training_dataset.partition("cosplace")
    num_taken = 0
    for group in range(2):
        labels = trainer.renewals.labels_of(group)
        assert labels.place is None
        num_taken += len(labels.rows)
        first = partition.classes_of_group(group).start
        for row, index in zip(labels.rows, labels.class_index, strict=True):
            record = partition.record_ids[partition.class_offsets[first + index]]
            own, of_class = (
                float(names_of(split, [one])[0])
                for split, one in ((target, row), (train, record))
            )
            assert abs(own - of_class) < 10
    assert 4 <= num_taken <= NUM_OF_TARGET
    logs = {"pseudo_labels": num_taken, "pseudo_labels_right": 100.0}
    assert trainer.renewals.logs == logs


def test_a_resumed_run_has_the_losses_of_one_that_went_on(make_trainer, tmp_path):
    # At step 3 the labels are those of step 2, and at step 4 they are due anew.
    whole, losses, states = make_trainer(), [], []
    for result in whole.train_epoch(finish_before=lambda step: step == 3):
        losses.append(result.each)
        states.append(whole.renewals.labels.serialize())
        if result.step == 3:
            CheckpointStore(whole, tmp_path).save()
    assert [one["pseudo_labels"] > 0 for one in losses] == [False] * 2 + [True] * 3
    assert [json.loads(one)["renewal"] for one in states] == [-1, -1, 0, 0, 1]
    resumed = make_trainer()
    assert CheckpointStore(resumed, tmp_path).restore_latest()
    assert resumed.renewals.labels.serialize() == states[2]
    after = [result.each for result in resumed.train_epoch()]
    for found, expected in zip(after, losses[3:], strict=True):
        assert found == pytest.approx(expected, rel=1e-6)
    assert resumed.renewals.labels.serialize() == states[-1]


def test_the_other_domain_and_heads_of_places_go_together(make_trainer):
    trainer = make_trainer(
        "start_step: 1, renew_every_steps: null}, {name: domain_adversarial",
        "train.head={name: direct_regression}",
        "train.groups_num=1",
    )
    before, *after = list(trainer.train_epoch())
    assert before.each["pseudo_labels"] == 0.0 < before.each["domain_adversarial"]
    assert all(np.isfinite(one.loss) for one in after)
    assert any(one.each["pseudo_labels"] > 0 for one in after)
    labels = trainer.renewals.labels_of(0)
    frame = trainer.head_factory.frame
    found = frame.positions(labels.place[:, :2]).utm_cm[:, 0] / 100
    assert np.ptp(found) > 50  # of different places, in metres


@pytest.mark.parametrize("every", ["null", "2"])
def test_no_photo_that_is_taken_is_told(make_trainer, caplog, every):
    trainer = make_trainer(f"renew_every_steps: {every}", at_least=1.0)
    if every == "null":
        with pytest.raises(
            TrainingError, match="of 8 photos of test-test-queries none"
        ):
            trainer.first_images()
        return
    with caplog.at_level(logging.WARNING, "vpr_tf"):
        results = list(trainer.train_epoch())
    assert all(one.each["pseudo_labels"] == 0.0 for one in results)
    told = [one for one in caplog.messages if "No label at step" in one]
    assert len(told) == 3
    assert "without until the next renewal" in told[0]


@pytest.mark.parametrize(
    "change", [{"rows": [0, 0]}, {"rows": [99], "record_ids": [0]}, {"num_known": 9}]
)
def test_stored_labels_of_other_photos_are_refused(make_trainer, change):
    labels = make_trainer().renewals.labels
    stored = json.loads(labels.serialize())
    with pytest.raises(StoredValueError, match="not of these photos"):
        labels.deserialize(json.dumps(stored | change))


def test_without_val_there_is_no_confidence(small_training_dataset, make_trainer):
    dataset = PreparedDataset(small_training_dataset.path)
    dataset.manifest["val"] = None
    config = small_config(
        small_training_dataset.path.parent,
        dataset.path,
        "train.target={split: test-test-queries}",
        f"train.objectives=[{{name: class_heads}}, {{{LABELS}}}]",
    )
    target, partition = (
        Target.of(config.train.target, dataset),
        dataset.partition("cosplace"),
    )
    with pytest.raises(ConfigError, match="calibrated on queries of val"):
        TargetLocalizer.of(config, dataset, partition, target)


def test_a_folder_of_the_queries_of_val_is_refused(
    small_training_dataset, make_trainer, tmp_path
):
    queries = small_training_dataset.split("val-queries")
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, content in enumerate(stored_images(queries, np.arange(len(queries)))):
        (folder / f"{number}.jpg").write_bytes(content)
    of_folder = f"train.target={{split: null, photos: {folder}}}"
    with pytest.raises(ConfigError, match=r"the photos of photos, which are these"):
        make_trainer("start_step: 9", of_folder)
    (folder / "0.jpg").unlink()
    assert len(make_trainer("start_step: 9", of_folder)._target) == len(queries) - 1


def test_chunks_fit_batches_with_the_target_and_without(make_trainer):
    make_trainer("start_step: 9", "train.gradient_cache_chunk=2")
    with pytest.raises(ConfigError, match="a replica, 4\\. Received: 6"):
        make_trainer("start_step: 9", "train.gradient_cache_chunk=6")
