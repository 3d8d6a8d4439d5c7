"""Whole training runs in this process."""

import csv
import dataclasses
import json
import math
import re
import shutil

import keras
import pytest
import tensorflow as tf

import train_keras
from tests.small_training import (
    build_small_encoder,
    small_config,
    write_config,
)
from vpr_tf.config import ConfigError, load_config
from vpr_tf.data.prepared_dataset import PreparedDataset
from vpr_tf.models import build_encoder
from vpr_tf.training import encoders
from vpr_tf.training import train as train_module
from vpr_tf.training.best_model import load_best
from vpr_tf.training.checkpoints import CheckpointStore
from vpr_tf.training.errors import TrainingDivergedError, TrainingError
from vpr_tf.training.final_report import is_export_wanted
from vpr_tf.training.result import TrainingResult
from vpr_tf.training.resume import initial_weights
from vpr_tf.training.run_folder import RunFolder
from vpr_tf.training.train import train

SHORT = ("train.epochs=1", "train.iterations_per_epoch=2", "train.groups_num=1")


@pytest.fixture
def small_encoder(monkeypatch):
    monkeypatch.setattr(train_module, "build_encoder", build_small_encoder)
    monkeypatch.setattr(encoders, "build_encoder", build_small_encoder)


@pytest.fixture
def run_training(small_encoder, small_training_dataset, tmp_path):
    def run(*overrides, **how):
        config = small_config(tmp_path, small_training_dataset.path, *overrides)
        return RunFolder(train(config, **how).run)

    return run


def losses_of(run):
    with run.losses_file.open() as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


def steps_kept(run):
    return sorted(path.name for path in run.checkpoints.glob("*.index"))


def summaries_of(run):
    """Tags and, for scalars, values by step."""
    found = {}
    for file in run.tensorboard.iterdir():
        for event in tf.compat.v1.train.summary_iterator(str(file)):
            for value in event.summary.value:
                found.setdefault(value.tag, {})[event.step] = value.tensor
    return found


@pytest.mark.slow
def test_a_run_leaves_what_the_design_names(run_training, tmp_path):
    seen, steps = [], []
    watch = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append((epoch, dict(logs))),
        on_train_batch_end=lambda batch, logs: steps.append((batch, dict(logs))),
    )
    table = keras.callbacks.CSVLogger(str(tmp_path / "keras.csv"))
    events = keras.callbacks.TensorBoard(str(tmp_path / "keras"), write_graph=False)
    run = run_training(
        "evaluation.queries_to_draw=2",
        "train.iterations_per_epoch=10",
        "train.export=best",
        callbacks=[watch, table, events],
    )
    names = {path.name for path in run.path.iterdir()}
    assert names == {
        *("config.yaml", "train.log", "tensorboard", "checkpoints", "best"),
        *("metrics.json", "report", "losses.csv"),
    }
    assert load_config(run.config_file).name == "small"

    metrics = json.loads(run.metrics_file.read_text())
    assert metrics["run"]["classes_per_group"] == [4, 4]
    assert [record["group"] for record in metrics["epochs"]] == [0, 1]
    losses = losses_of(run)
    for epoch, record in enumerate(metrics["epochs"]):
        mean = math.fsum(losses[10 * epoch : 10 * epoch + 10]) / 10
        assert record["mean_loss"] == pytest.approx(mean)
        number, logs = seen[epoch]
        assert number == logs["epoch"] == epoch
        assert set(logs) == {
            *("epoch", "group", "loss", "learning_rate", "head_learning_rate"),
            *("gem_p", "images_per_s"),
            *(f"val_recall@{n}" for n in (1, 5, 10, 20)),
        }
        assert logs["loss"] == record["mean_loss"]
        assert logs["gem_p"] == record["gem_p"]
        assert logs["val_recall@1"] == record["val_recalls"]["1"]
        assert list(record["val_recalls"]) == ["1", "5", "10", "20"]
    assert steps == [
        (step % 10, {"loss": pytest.approx(loss)}) for step, loss in enumerate(losses)
    ]
    assert len((tmp_path / "keras.csv").read_text().splitlines()) == 3
    assert sum(losses[5:10]) < sum(losses[:5])

    test = metrics["tests"]["test"]
    assert (test["num_queries"], test["num_database"]) == (8, 16)
    assert test["recalls"]["1"] > 60
    (of_dataset,) = run.report.iterdir()
    assert "| test |" in (of_dataset / "test" / "results.md").read_text()
    assert len(list((of_dataset / "test" / "pictures").iterdir())) == 2
    version = tmp_path / "savedmodels" / "small" / "1"
    assert (version / "saved_model.pb").is_file()
    result = TrainingResult.from_run(run)
    assert (result.run, result.savedmodel) == (run.path, version)
    assert result.recalls["test"][1] == test["recalls"]["1"]
    score = json.loads((version / "assets.extra" / "training.json").read_text())
    assert score == {"run": run.path.name, "val_recall@1": result.recalls["val"][1]}

    assert steps_kept(run) == ["step-20.index"]

    best = load_best(run.best, build_small_encoder())
    assert best.epoch == metrics["epochs"][-1]["best_epoch"]
    recalls = [record["val_recalls"]["1"] for record in metrics["epochs"]]
    assert recalls.index(max(recalls)) == best.epoch

    summaries = summaries_of(run)
    assert set(summaries) == {
        *("step/loss", "epoch/loss", "encoder/gem_p", "speed/images_per_s"),
        *("learning_rate/encoder", "learning_rate/head"),
        *("val/recall@1", "val/recall@5", "val/recall@10", "val/recall@20"),
        *("train/augmented", "val/predictions"),
    }
    assert list(summaries["step/loss"]) == [10, 20]
    width, height, png = summaries["train/augmented"][0].string_val
    assert (int(width), int(height)) == (4 * 32, 32)
    assert tf.io.decode_png(png).shape == (32, 128, 3)
    assert list(summaries["val/predictions"]) == [10, 20]


@pytest.mark.slow
def test_a_finished_run_goes_on_with_more_epochs_as_if_it_had_them(run_training):
    longer = ("train.epochs=2", *SHORT[1:])
    expected = losses_of(run_training(*longer, "name=undisturbed"))
    run = run_training(*SHORT)
    assert run_training(*longer, resume=True) == run
    assert losses_of(run) == expected


@pytest.mark.slow
def test_a_finished_run_without_checkpoints_is_whole_but_for_resuming(
    run_training, monkeypatch
):
    none = (*SHORT, "train.checkpoints_to_keep=0")
    finish = train_module.finish_run

    def finish_with_checkpoints(config, dataset, run, encoder):
        assert steps_kept(run) == ["step-2.index"]
        return finish(config, dataset, run, encoder)

    monkeypatch.setattr(train_module, "finish_run", finish_with_checkpoints)
    run = run_training(*none)
    assert not list(run.checkpoints.iterdir())
    assert load_best(run.best, build_small_encoder()).epoch == 0
    command = rf"vpr export --model {re.escape(str(run.path))}$"
    assert re.search(command, run.log_file.read_text(), re.MULTILINE)
    with pytest.raises(TrainingError, match=r"has ended and no checkpoint.*run:small"):
        run_training(*none, resume=True)


@pytest.mark.slow
def test_divergence_names_the_last_good_checkpoint(run_training, monkeypatch):
    saved = []
    save = CheckpointStore.save

    def save_then_spoil(store):
        save(store)
        saved.append(store.latest)
        # The next step's loss is NaN.
        head = store._trainer.heads[0]
        head.class_centres.assign(head.class_centres * math.nan)

    monkeypatch.setattr(CheckpointStore, "save", save_then_spoil)
    message = "The loss is nan at step 3 .* The last good checkpoint is .*step-2"
    with pytest.raises(TrainingDivergedError, match=message):
        run_training()
    assert len(saved) == 1


@pytest.mark.slow
def test_early_stopping_ends_the_run(run_training):
    run = run_training(
        *SHORT,
        "train.epochs=9",
        "train.early_stopping_patience=1",
        # Steps too small to change a prediction: the first epoch stays the best.
        "train.encoder_optimizer.learning_rate=1e-30",
        "train.encoder_optimizer.name=SGD",
    )
    metrics = json.loads(run.metrics_file.read_text())
    assert [record["best_epoch"] for record in metrics["epochs"]] == [0, 0]
    assert "Stopped early" in run.log_file.read_text()


@pytest.mark.slow
def test_without_val_and_tests_the_last_model_is_exported(
    small_encoder, small_training_dataset, tmp_path
):
    folder = tmp_path / "train_only"
    shutil.copytree(small_training_dataset.path, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest |= {"val": None, "tests": {}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert PreparedDataset(folder).val is None
    config = small_config(tmp_path, folder, *SHORT, "train.export=best")
    run = RunFolder(train(config).run)
    metrics = json.loads(run.metrics_file.read_text())
    assert [record["val_recalls"] for record in metrics["epochs"]] == [{}]
    assert metrics["epochs"][-1]["best_epoch"] == 0
    assert metrics["tests"] == {}
    assert "no test set" in run.log_file.read_text()
    assert (tmp_path / "savedmodels" / "small" / "1").is_dir()


def darken(images):
    return images * 0.5


@pytest.mark.slow
def test_own_augmentation_and_weights_of_another_run(run_training):
    first = run_training(*SHORT, "name=first")
    assert TrainingResult.from_run(first).savedmodel is None
    again = (*SHORT, "name=second", "encoder.weights=run:first")
    run = run_training(*again, augment=darken)
    facts = json.loads(run.metrics_file.read_text())["run"]
    assert facts["augment"].endswith("test_training_run.darken")
    assert facts["initial_weights"] == str(first.best / "encoder.weights.h5")
    assert load_config(run.config_file).encoder.weights == "run:first"
    assert initial_weights(run) == facts["initial_weights"]
    assert losses_of(run) != losses_of(first)
    with pytest.raises(TrainingError, match=r"augment was '.*darken' and is None"):
        run_training(*again, "train.epochs=2", resume=True)


def test_augmentation_that_cannot_be_is_refused(run_training):
    with pytest.raises(ConfigError, match=r"`augment` must keep the shape"):
        run_training(*SHORT, augment=lambda images: images[:, :8])
    with pytest.raises(ConfigError, match=r"reads none"):
        run_training(*SHORT, "train.input=descriptors", augment=darken)


def write_export(version, **score):
    (version / "assets.extra").mkdir(parents=True)
    (version / "saved_model.pb").write_text("")
    if score:
        (version / "assets.extra" / "training.json").write_text(json.dumps(score))


def test_train_export_says_what_becomes_the_next_version(
    small_training_dataset, tmp_path
):
    def wanted(score, export="best"):
        override = f"train.export={export}"
        config = small_config(tmp_path, small_training_dataset.path, override)
        return is_export_wanted(config, score)

    versions = tmp_path / "savedmodels" / "small"
    assert wanted(50.0)  # nothing is there
    write_export(versions / "1", **{"val_recall@1": 90.0})
    write_export(versions / "2", **{"val_recall@1": 60.0})
    assert not wanted(60.0)
    assert wanted(60.5)
    assert wanted(None)
    assert wanted(1.0, "always")
    assert not wanted(99.0, "never")
    write_export(versions / "3")  # of a former version: its score is not known
    assert wanted(1.0)


def test_nothing_is_left_when_the_run_cannot_start(run_training, tmp_path):
    with pytest.raises(ConfigError, match="between 1 and 2"):
        run_training("train.groups_num=3")
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_the_script_trains_a_real_encoder(
    small_training_dataset, tmp_path, capsys, monkeypatch
):
    path = write_config(tmp_path, small_training_dataset.path)
    arguments = ["--config", str(path), *SHORT]
    assert train_keras.main(arguments) == 0
    output = capsys.readouterr().out
    for words in (
        *("TensorFlow 2.", "Encoder: EfficientNetLite0, 8 dimensions, weights none"),
        *("1 group(s) of 4 classes, 20 images", "tensorboard --logdir", "| test |"),
    ):
        assert words in output
    (best,) = tmp_path.glob("runs/small/*/best")
    config = load_config(path).encoder
    encoder = build_encoder(dataclasses.replace(config, weights="none"))
    assert load_best(best, encoder).epoch == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train.batch_siez=3"], "Error: .*batch_siez"),
        (["--resume"], "no run to resume"),
        (["--resume", "train.epochs=2"], "no run to resume"),
        (["dataset.path=nowhere"], "No prepared dataset at nowhere"),
    ],
)
def test_errors_are_one_line_and_status_2(
    arguments, message, small_encoder, small_training_dataset, tmp_path, capsys
):
    path = write_config(tmp_path, small_training_dataset.path)
    assert train_keras.main(["--config", str(path), *arguments]) == 2
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    assert re.search(message, error)
