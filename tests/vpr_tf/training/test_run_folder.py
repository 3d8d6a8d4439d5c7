import dataclasses
import os
import shutil
import time

import pytest

from vpr_tf.config import (
    CosineScheduleConfig,
    DatasetConfig,
    ExperimentConfig,
    PolynomialScheduleConfig,
    TrainConfig,
)
from vpr_tf.training.errors import TrainingError
from vpr_tf.training.resume import check_same_experiment, find_run, tell_other_run
from vpr_tf.training.run_folder import create_run_folder


def make_config(tmp_path, **train):
    return ExperimentConfig(
        name="city",
        runs_dir=str(tmp_path),
        dataset=DatasetConfig("city"),
        train=TrainConfig(**train),
    )


def test_runs_started_in_one_second_get_folders_of_their_own(tmp_path):
    config = make_config(tmp_path)
    runs = [create_run_folder(config) for _ in range(3)]
    assert len({run.path for run in runs}) == 3
    assert find_run(config).path == runs[-1].path


def test_a_clock_set_back_makes_no_older_run_the_newest(tmp_path, monkeypatch):
    config = make_config(tmp_path)
    first = create_run_folder(config)
    monkeypatch.setattr(time, "strftime", lambda form: "2001-01-01_00-00-00")
    second = create_run_folder(config)
    assert second.path.name == f"{first.path.name}_002"
    third = create_run_folder(config)
    assert find_run(config).path == third.path
    # Folders of the user do not count.
    shutil.copytree(first.path, tmp_path / "city" / "backup")
    assert find_run(config).path == third.path


def test_a_run_that_was_written_to_last_is_named(tmp_path, caplog):
    config = make_config(tmp_path)
    first, second = (create_run_folder(config) for _ in range(2))
    tell_other_run(second)
    assert not caplog.text
    first.losses_file.write_text("")
    later = second.config_file.stat().st_mtime + 10
    os.utime(first.losses_file, (later, later))
    tell_other_run(second)
    assert f"{second.path} was started last and is taken" in caplog.text
    assert f"--resume {first.path}" in caplog.text


def test_a_run_is_found_by_its_path(tmp_path):
    config = make_config(tmp_path)
    first = create_run_folder(config)
    create_run_folder(config)
    assert find_run(config, first.path) == first


def test_missing_runs_are_told(tmp_path):
    config = make_config(tmp_path)
    with pytest.raises(TrainingError, match="no run to resume"):
        find_run(config)
    with pytest.raises(TrainingError, match=r"not a run folder.*config.yaml"):
        find_run(config, tmp_path)


def test_an_unwritable_folder_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    config = dataclasses.replace(make_config(tmp_path), runs_dir=f"{tmp_path}/file")
    with pytest.raises(TrainingError, match="Set `runs_dir`"):
        create_run_folder(config)


def test_other_settings_are_refused_with_their_names(tmp_path):
    run = create_run_folder(make_config(tmp_path))
    other = dataclasses.replace(make_config(tmp_path, batch_size=8), seed=1)
    message = r"seed \(0 in the run, 1 now\), train.batch_size \(32 in the run, 8 now\)"
    with pytest.raises(TrainingError, match=message):
        check_same_experiment(run, other)


def test_settings_of_the_machine_and_more_epochs_may_change(tmp_path):
    run = create_run_folder(make_config(tmp_path))
    check_same_experiment(
        run,
        make_config(tmp_path, epochs=99, strategy="mirrored", checkpoint_every_steps=5),
    )


@pytest.mark.parametrize(
    "schedule", [CosineScheduleConfig(), PolynomialScheduleConfig()]
)
def test_epochs_may_not_change_where_the_rate_falls_over_all(tmp_path, schedule):
    run = create_run_folder(make_config(tmp_path, schedule=schedule))
    with pytest.raises(TrainingError, match=r"train.epochs \(50 in the run, 99 now\)"):
        check_same_experiment(run, make_config(tmp_path, schedule=schedule, epochs=99))
