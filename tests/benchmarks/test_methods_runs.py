import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from benchmarks import methods_runs
from benchmarks.methods_runs import (
    Experiment,
    MissingRunError,
    finished_run,
    train_missing,
)
from tests.benchmarks.method_cases import write_experiment, write_manifest, write_run

ROOT = Path(__file__).resolve().parents[2]


def test_finished_run_is_the_newest_of_the_same_settings(tmp_path):
    experiment = write_experiment(tmp_path)
    write_run(experiment, "2026-01-01")
    wanted = write_run(experiment, "2026-01-02")
    write_run(write_experiment(tmp_path, "dc", "train.epochs=2"), "2026-01-03")
    write_run(experiment, "2026-01-04", finished=False)
    assert finished_run(experiment).path == wanted


def test_finished_run_does_not_mind_how_results_are_looked_at(tmp_path):
    run = write_run(write_experiment(tmp_path), "2026-01-01")
    other = write_experiment(tmp_path, "dc", "classification.score=raw")
    assert finished_run(other).path == run


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.epochs=2", "train.epochs was 16, not 2"),
        ("build.partition.cell_size_m=50", "cell_size_m was 20, not 50"),
        ("train.head.name=cross_entropy", "train.head.name was 'angular_margin'"),
    ],
)
def test_run_of_other_settings_is_named_with_the_command(tmp_path, override, message):
    write_run(write_experiment(tmp_path), "2026-01-01")
    with pytest.raises(MissingRunError, match=message) as error:
        finished_run(write_experiment(tmp_path, "dc", override))
    assert f"train_keras.py --config {tmp_path}/dc.yaml {override}" in str(error.value)


def test_run_on_another_dataset_does_not_count(tmp_path):
    experiment = write_experiment(tmp_path)
    write_run(experiment, "2026-01-01")
    write_manifest(tmp_path, "second")
    with pytest.raises(MissingRunError, match="dataset_fingerprint was 'first'"):
        finished_run(experiment)


def test_config_without_any_run_is_told(tmp_path):
    with pytest.raises(MissingRunError, match=r"no finished run in .*runs/dc"):
        finished_run(write_experiment(tmp_path))


class Commands:
    """Stands in for subprocesses: a training leaves a finished run."""

    def __init__(self, experiments: list[Experiment], status: int = 0) -> None:
        self.experiments = {str(entry.path): entry for entry in experiments}
        self.status = status
        self.ran: list[list[str]] = []

    def __call__(self, command: list[str]) -> int:
        self.ran.append(command)
        if not self.status:
            experiment = self.experiments[command[command.index("--config") + 1]]
            write_run(experiment, "2026-02-01")
        return self.status


@pytest.fixture
def no_partition(monkeypatch):
    monkeypatch.setattr(methods_runs, "add_partition", lambda path, config: None)


def test_train_missing_trains_once_and_resumes_what_was_interrupted(
    tmp_path, monkeypatch, no_partition
):
    done, begun, new = (write_experiment(tmp_path, n) for n in ("done", "begun", "new"))
    write_run(done, "2026-01-01")
    interrupted = write_run(begun, "2026-01-01", finished=False)
    commands = Commands([done, begun, new])
    monkeypatch.setattr(methods_runs, "_run", commands)
    train_missing([done, begun, new])
    assert [entry[3].split("/")[-1] for entry in commands.ran] == [
        "begun.yaml",
        "new.yaml",
    ]
    assert commands.ran[0][4:] == ["--resume", str(interrupted.resolve())]
    assert "--resume" not in commands.ran[1]
    train_missing([done, begun, new])
    assert len(commands.ran) == 2


def test_heads_on_descriptors_wait_for_their_encoder(
    tmp_path, monkeypatch, no_partition
):
    overrides = ["train.input=descriptors", "encoder.weights=run:encoder"]
    heads = write_experiment(tmp_path, "a_head", *overrides)
    encoder = write_experiment(tmp_path, "encoder")
    commands = Commands([heads, encoder])
    monkeypatch.setattr(methods_runs, "_run", commands)
    train_missing([heads, encoder])
    assert [entry[3].split("/")[-1] for entry in commands.ran] == [
        "encoder.yaml",
        "a_head.yaml",
    ]


def test_training_that_fails_is_told_and_does_not_stop_the_others(
    tmp_path, monkeypatch, no_partition, capsys
):
    experiments = [write_experiment(tmp_path, name) for name in ("a", "b")]
    commands = Commands(experiments, status=2)
    monkeypatch.setattr(methods_runs, "_run", commands)
    train_missing(experiments)
    assert len(commands.ran) == 2
    assert "a: Training ended with status 2" in capsys.readouterr().err


def test_training_that_is_interrupted_ends_the_command(
    tmp_path, monkeypatch, no_partition
):
    experiments = [write_experiment(tmp_path, name) for name in ("a", "b")]
    commands = Commands(experiments, status=130)
    monkeypatch.setattr(methods_runs, "_run", commands)
    with pytest.raises(KeyboardInterrupt):
        train_missing(experiments)
    assert len(commands.ran) == 1


TRAINING = """
import pathlib, signal, sys, time
received = []
signal.signal(signal.SIGTERM, lambda *_: received.append(1))
pathlib.Path(sys.argv[1], "started").touch()
while not received:
    time.sleep(0.01)
time.sleep(0.2)  # saves
pathlib.Path(sys.argv[1], "saved").touch()
sys.exit(100 + len(received))
"""


def wait_for(path):
    end = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < end, f"{path} did not appear"
        time.sleep(0.01)


def test_signal_reaches_the_training_once_and_is_waited_for(tmp_path):
    def stop() -> None:
        wait_for(tmp_path / "started")
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=stop)
    thread.start()
    status = methods_runs._run([sys.executable, "-c", TRAINING, str(tmp_path)])
    thread.join()
    assert status == 101


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for the signal")
def test_training_stops_when_the_command_is_killed(tmp_path):
    program = (
        "import sys; from benchmarks.methods_runs import _run; "
        "_run([sys.executable, '-c', *sys.argv[1:]])"
    )
    command = [sys.executable, "-c", program, TRAINING, str(tmp_path)]
    process = subprocess.Popen(command, cwd=ROOT)
    wait_for(tmp_path / "started")
    process.kill()
    process.wait()
    wait_for(tmp_path / "saved")
