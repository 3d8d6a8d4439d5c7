"""Distillation: a teacher's descriptors, kept, projected and learnt."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.small_training import build_small_encoder, small_config
from vpr_tf.config import ConfigError, Preprocessing
from vpr_tf.extraction import FeatureExtractor
from vpr_tf.models import GeoLocalizationNet
from vpr_tf.training import encoders
from vpr_tf.training import train as train_module
from vpr_tf.training.checkpoints import CheckpointStore
from vpr_tf.training.process import create_strategy
from vpr_tf.training.resume import model_of_teacher
from vpr_tf.training.run_folder import RunFolder
from vpr_tf.training.teacher import Teacher
from vpr_tf.training.train import train

LEARN = "train.objectives=[{name: distillation}]"
SHORT = (LEARN, "train.iterations_per_epoch=3", "train.groups_num=1")


@pytest.fixture(scope="module")
def teacher_file(tmp_path_factory):
    keras.utils.set_random_seed(1)
    teacher = GeoLocalizationNet("EfficientNetLite0", 12, last_stage=2)
    teacher.preprocessing = Preprocessing("square", 40)
    path = tmp_path_factory.mktemp("teacher") / "teacher.keras"
    teacher.save(path)
    return path


@pytest.fixture
def make_config(small_training_dataset, teacher_file, tmp_path):
    def make(*overrides):
        model = f"train.teacher.model={teacher_file}"
        dataset = small_training_dataset.path
        return small_config(tmp_path, dataset, *SHORT, model, *overrides)

    return make


@pytest.fixture
def make_teacher(make_config, small_training_dataset):
    def make(*overrides):
        config = make_config(*overrides)
        strategy = create_strategy("one_device")
        teacher = config.train.teacher
        return Teacher.of(config, teacher, small_training_dataset, strategy)

    return make


def test_photos_are_prepared_as_for_the_teacher_and_described_once(
    make_teacher, teacher_file, small_training_dataset, monkeypatch
):
    teacher = make_teacher()
    encoder = keras.saving.load_model(teacher_file)
    extractor = FeatureExtractor(encoder, Preprocessing("square", 40))
    split = small_training_dataset.split("train")
    expected = extractor.extract_records(split, np.arange(len(split)), progress=False)
    np.testing.assert_allclose(teacher.descriptors, expected, atol=1e-6)
    smaller = make_teacher("train.teacher.image_size=24")
    assert np.abs(smaller.descriptors - expected).max() > 1e-3

    def never(*_):
        raise AssertionError

    monkeypatch.setattr("vpr_tf.extraction.feature_extractor.describe_images", never)
    again = make_teacher()
    np.testing.assert_array_equal(again.descriptors, teacher.descriptors)
    assert again.facts == teacher.facts != smaller.facts


def test_pca_keeps_the_directions_of_the_teacher(make_teacher):
    teacher = make_teacher()
    assert teacher.of_length(12) is teacher.descriptors
    reduced = teacher.of_length(8)
    centred = teacher.descriptors - teacher.descriptors.mean(axis=0)
    assert reduced.shape == (len(centred), 8)
    # Of the best approximation of that rank.
    values = np.linalg.svd(centred, compute_uv=False)
    kept = np.linalg.norm(reduced, axis=0)
    np.testing.assert_allclose(np.sort(kept)[::-1], values[:8], rtol=1e-3)
    np.testing.assert_array_equal(make_teacher().of_length(8), reduced)


def test_a_longer_random_projection_keeps_all_angles(make_teacher):
    teacher = make_teacher("train.teacher.projection=random")
    longer = teacher.of_length(20)
    similarities = teacher.descriptors @ teacher.descriptors.T
    np.testing.assert_allclose(longer @ longer.T, similarities, atol=1e-5)
    assert teacher.of_length(5).shape == (len(longer), 5)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.teacher.model=nowhere", "`train.teacher.model`: nowhere is no model"),
        (
            "train.teacher.model=run:nobody",
            r"`train.teacher.model: run:nobody` needs a finished run in .*Found: none",
        ),
    ],
)
def test_a_teacher_that_is_not_there_is_refused(make_teacher, override, message):
    with pytest.raises(ConfigError, match=message):
        make_teacher(override)


def test_pca_cannot_make_descriptors_longer(make_teacher):
    with pytest.raises(ConfigError, match=r"have 20 values and the teacher's 12.*rand"):
        make_teacher().of_length(20)


def test_a_run_learns_from_a_teacher(make_config, monkeypatch):
    for module in (train_module, encoders):
        monkeypatch.setattr(module, "build_encoder", build_small_encoder)
    run = RunFolder(train(make_config("train.epochs=1")).run)
    assert "Teacher: EfficientNetLite0 of teacher.keras" in run.log_file.read_text()
    facts = json.loads(run.metrics_file.read_text())["run"]
    assert facts["objective_weights"] == {"distillation": 1.0}
    assert len(facts["teacher_fingerprint"]) == 64
    assert model_of_teacher(run) == facts["teacher"]


def test_learning_from_a_teacher_goes_on_exactly(make_config, monkeypatch, tmp_path):
    monkeypatch.setattr(train_module, "build_encoder", build_small_encoder)
    trainer, resumed = (train_module.trainer_of(make_config()) for _ in range(2))
    losses = [result.loss for result in trainer.train_epoch()]
    trainer.progress.finish_epoch()
    CheckpointStore(trainer, tmp_path / "checkpoints").save()
    more = [result.loss for result in trainer.train_epoch()]
    assert CheckpointStore(resumed, tmp_path / "checkpoints").restore_latest()
    assert [result.loss for result in resumed.train_epoch()] == more != losses


def test_the_rows_of_the_teacher_are_of_the_photos(
    make_config, make_teacher, monkeypatch
):
    monkeypatch.setattr(train_module, "build_encoder", build_small_encoder)
    trainer = train_module.trainer_of(
        make_config(LEARN.replace("}]", "}, {name: class_heads}, {name: simclr}]"))
    )
    teacher = make_teacher().of_length(8)
    ((images, targets),) = next(iter(trainer._batches(1)))
    assert images.shape[0] == targets["teacher"].shape[0] == 8
    partition = trainer._partition
    for row, class_index in zip(
        targets["teacher"].numpy(), targets["class_index"].numpy(), strict=True
    ):
        records = np.flatnonzero(np.abs(teacher - row).max(axis=1) < 1e-6)
        classes = partition.class_offsets
        first, last = classes[class_index], classes[class_index + 1]
        assert set(records) & set(partition.record_ids[first:last])
    assert tf.reduce_all(targets["teacher"][0::2] == targets["teacher"][1::2])
