"""A run whose files are damaged goes on as if undisturbed, or refuses."""

import contextlib
import csv
import dataclasses
import json
import resource
import shutil
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from tests.small_training import build_small_encoder, small_config
from vpr_tf.stored_paths import StoredPathError
from vpr_tf.training import encoders
from vpr_tf.training import train as train_module
from vpr_tf.training.best_model import lacking_best
from vpr_tf.training.checkpoints import CheckpointStore
from vpr_tf.training.errors import TrainingError
from vpr_tf.training.group_trainer import GroupTrainer
from vpr_tf.training.process import create_strategy, run_log
from vpr_tf.training.resume import restore_run
from vpr_tf.training.run_folder import RunFolder
from vpr_tf.training.train import train

DATA = "data-00000-of-00001"
FILES = (
    *("checkpoints/checkpoint", "losses.csv", "metrics.json", "best/best.json"),
    *("best/encoder.weights.h5", "checkpoints/step-8.index"),
    *(f"checkpoints/step-8.{DATA}", "checkpoints/step-6.index"),
    f"checkpoints/step-6.{DATA}",
)


@contextlib.contextmanager
def small_encoder():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train_module, "build_encoder", build_small_encoder)
        patch.setattr(encoders, "build_encoder", build_small_encoder)
        yield


def losses_of(run):
    with run.losses_file.open() as file:
        return [row["loss"] for row in csv.DictReader(file)]


@pytest.fixture(scope="module")
def trained(small_training_dataset, tmp_path_factory):
    """A run of ten steps, a copy as it was after nine, and a trainer like its own."""
    folder = tmp_path_factory.mktemp("trained")
    config = small_config(folder, small_training_dataset.path)
    copy = folder / "after_nine_steps"

    def copy_run(batch, logs):
        losses = list(folder.glob("runs/small/*/losses.csv"))
        if len(losses[0].read_text().splitlines()) == 1 + 9 and not copy.exists():
            shutil.copytree(losses[0].parent, copy)

    watch = keras.callbacks.LambdaCallback(on_train_batch_end=copy_run)
    with small_encoder():
        run = RunFolder(train(config, callbacks=[watch]).run)

    def make_trainer(build_encoder):
        return GroupTrainer(
            build_encoder,
            small_training_dataset.split("train"),
            small_training_dataset.partition("cosplace"),
            config.train,
            config.seed,
            create_strategy("one_device"),
        )

    trainer = make_trainer(build_small_encoder)
    found = SimpleNamespace(
        config=config,
        copy=copy,
        losses=losses_of(run),
        make_trainer=make_trainer,
        trainer=trainer,
        states={},
    )
    for step in (6, 8):
        shutil.copytree(copy, folder / f"only_{step}")
        other = {6: 8, 8: 6}[step]
        for file in (folder / f"only_{step}" / "checkpoints").glob(f"step-{other}.*"):
            file.unlink()
        assert restored(trainer, RunFolder(folder / f"only_{step}")) == step
        found.states[step] = state(trainer)
    return found


@pytest.fixture
def run(trained, tmp_path):
    shutil.copytree(trained.copy, tmp_path / "run")
    return RunFolder(tmp_path / "run")


def state(trainer):
    owners = (trainer.encoder, trainer.encoder_optimizer, *trainer.heads)
    owners += tuple(trainer.head_optimizers)
    values = [keras.ops.convert_to_numpy(v) for o in owners for v in o.variables]
    return np.concatenate([np.ravel(value).astype(np.float64) for value in values])


def restored(trainer, run):
    """The step that a run goes on from."""
    restore_run(run, CheckpointStore(trainer, run.checkpoints))
    error = lacking_best(run.best, trainer.progress)
    if error is not None:
        raise error
    return trainer.progress.step


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def garble(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x5A
    path.write_bytes(content)


def overwrite(path):
    path.write_bytes(np.random.default_rng(0).bytes(path.stat().st_size))


def empty(path):
    path.write_bytes(b"")


def delete(path):
    path.unlink()


def grow(path):
    path.write_bytes(path.read_bytes() * 2)


DAMAGES = (truncate, garble, overwrite, empty, delete, grow)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("name", FILES)
def test_damage_of_a_file(name, damage, trained, run):
    damage(run.path / name)
    before = {p: p.read_bytes() for p in run.path.rglob("*") if p.is_file()}
    error = None
    try:
        step = restored(trained.trainer, run)
    except TrainingError as found:
        error = found
    if error is not None:
        # One of the two checkpoints, or TensorFlow's record, is not all there is.
        assert not name.startswith("checkpoints/"), error
        assert str(run.path) in str(error)
        assert "start a new run" in str(error)
    else:
        np.testing.assert_array_equal(state(trained.trainer), trained.states[step])
        assert losses_of(run)[:step] == trained.losses[:step]
        assert step == 8 or "step-8" in name
    assert {p: p.read_bytes() for p in run.path.rglob("*") if p.is_file()} == before


def swap(first, second):
    spare = first.with_name("spare")
    first.rename(spare)
    second.rename(first)
    spare.rename(second)


@pytest.mark.parametrize("suffixes", [("index",), (DATA,), ("index", DATA)])
def test_files_that_change_places_are_refused(suffixes, trained, run):
    for suffix in suffixes:
        swap(*(run.checkpoints / f"step-{step}.{suffix}" for step in (6, 8)))
    with pytest.raises(TrainingError, match=r"step-8: .*step-6: .*Put the files back"):
        restored(trained.trainer, run)


def build_wider_encoder():
    encoder = build_small_encoder()
    x = encoder.get_layer("aggregation").output
    return keras.Model(encoder.input, keras.layers.Dense(16)(x))


def build_encoder_in_float64():
    encoder = build_small_encoder()
    x = encoder.get_layer("aggregation").output
    return keras.Model(encoder.input, keras.layers.Dense(8, dtype="float64")(x))


@pytest.mark.parametrize(
    "build_encoder", [build_wider_encoder, build_encoder_in_float64]
)
def test_a_checkpoint_of_other_variables_is_not_taken(build_encoder, trained, run):
    assert restored(trained.trainer, run) == 8
    other = trained.make_trainer(build_encoder)
    other.progress.load_json(trained.trainer.progress.to_json())
    kept = {p: p.read_bytes() for p in run.checkpoints.glob("step-6.*")}
    CheckpointStore(other, run.checkpoints).save()
    for path, content in kept.items():
        path.write_bytes(content)
    assert restored(trained.trainer, run) == 6
    np.testing.assert_array_equal(state(trained.trainer), trained.states[6])


def test_a_run_with_losses_and_no_checkpoint_is_refused(trained, run):
    shutil.rmtree(run.checkpoints)
    with pytest.raises(TrainingError, match=r"losses of 9 steps.*no checkpoint.*new"):
        restored(trained.trainer, run)


def test_a_run_killed_before_its_first_checkpoint_begins_again(trained, run):
    for folder in (run.checkpoints, run.best):
        shutil.rmtree(folder)
    run.metrics_file.unlink()
    lines = run.losses_file.read_text().splitlines(keepends=True)
    run.losses_file.write_text("".join(lines[:3]))
    assert not restore_run(run, CheckpointStore(trained.trainer, run.checkpoints))


@pytest.mark.parametrize(
    "values",
    [
        {"step": -1},
        {"step": float("nan")},
        {"step": "8"},
        {"epoch": 2**70},
        {"epoch": 10**17},
        {"group_positions": [20]},
        {"group_positions": []},
        {"step_in_epoch": 2},
        {"learning_rate_factor": float("inf")},
        {"best_epoch": -1},
        {"unknown": 1},
    ],
    ids=str,
)
def test_counters_that_cannot_be_are_refused(values, trained, run, monkeypatch):
    """The whole checkpoint is valid but for its counters."""
    trainer = trained.trainer
    restored(trainer, run)
    changed = json.dumps(json.loads(trainer.progress.to_json()) | values)
    with monkeypatch.context() as patch:
        patch.setattr(type(trainer.progress), "to_json", lambda self: changed)
        CheckpointStore(trainer, run.checkpoints).save()
    assert [p.name for p in run.checkpoints.glob("*.index")] == ["step-8.index"]
    with pytest.raises(TrainingError, match=r"Cannot restore any checkpoint.*step-8"):
        restored(trainer, run)


def test_paths_in_the_record_of_tensorflow_are_not_followed(trained, run, tmp_path):
    for suffix in ("index", DATA):
        (tmp_path / f"mine.{suffix}").write_text("mine")
    record = [f'model_checkpoint_path: "{tmp_path}/mine"']
    record += [f'all_model_checkpoint_paths: "{tmp_path}/mine"'] * 3
    record += ['all_model_checkpoint_paths: "../../mine"']
    (run.checkpoints / "checkpoint").write_text("\n".join(record))
    store = CheckpointStore(trained.trainer, run.checkpoints)
    assert store.restore_latest()
    store.save()
    store.save()
    assert len(list(tmp_path.glob("mine.*"))) == 2


@pytest.mark.parametrize("name", ["step-9.index", "step-8_temp", "checkpoint", "x"])
def test_links_are_refused(name, trained, run, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (run.checkpoints / name).unlink(missing_ok=True)
    (run.checkpoints / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoredPathError, match="symbolic link"):
        restored(trained.trainer, run)
    with pytest.raises(StoredPathError, match="symbolic link"):
        CheckpointStore(trained.trainer, run.checkpoints).save()
    assert not [*(tmp_path / "elsewhere").iterdir()]


@pytest.mark.slow
def test_a_damaged_checkpoint_costs_its_steps_only(trained, run, capsys):
    garble(run.checkpoints / "step-8.index")
    with small_encoder():
        train(trained.config, resume=run.path)
    assert losses_of(run) == trained.losses
    output = capsys.readouterr().out
    assert "Going on from step 6" in output
    assert "Not from the newer checkpoint step-8: " in output


@pytest.mark.slow
def test_a_full_disk_ends_a_run_that_goes_on_later(trained, tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    limits = {3: (1000, before[1])}  # no checkpoint is that small

    def fill(batch, logs):
        resource.setrlimit(resource.RLIMIT_FSIZE, limits.get(batch, before))

    config = dataclasses.replace(trained.config, runs_dir=str(tmp_path / "runs"))
    watch = keras.callbacks.LambdaCallback(on_train_batch_end=fill)
    message = r"step-\d.*The last good checkpoint is .*step-2.*--resume"
    try:
        with small_encoder(), pytest.raises(TrainingError, match=message):
            train(config, callbacks=[watch])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    with small_encoder():
        run = RunFolder(train(config, resume=True).run)
    assert losses_of(run) == trained.losses


def test_one_process_at_a_time_trains_a_run(run):
    message = "Another process is training the run"
    with (
        run_log(run.log_file),
        pytest.raises(TrainingError, match=message),
        run_log(run.log_file),
    ):
        pass
    with run_log(run.log_file):
        pass
