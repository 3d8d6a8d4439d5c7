"""Training runs that are killed, signalled or spread over processes."""

import csv
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.small_training import write_config

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "tests" / "integration" / "training_process.py"
TIMEOUT_S = 300
# Batch statistics would be those of each replica's share.
# Also what has a state of its own: slow and averaged weights, and what is drawn.
SETTINGS = (
    "encoder.bn_mode=keras",
    "train.encoder_optimizer.name=Yogi",
    "train.encoder_optimizer.lookahead.sync_period=2",
    "train.encoder_optimizer.average.start_step=3",
    "train.augmentation.extra=[{name: Cutout}, {name: keras.RandomShear, x_factor: 1}]",
)

pytestmark = pytest.mark.slow


class Processes:
    """Starts training processes on one config and ends them after the test."""

    def __init__(self, config):
        self.config = config
        self.started = []

    def start(self, *arguments, **environment):
        process = subprocess.Popen(
            [sys.executable, str(SCRIPT), "--config", str(self.config), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        )
        self.started.append(process)
        return process


def finish(process):
    output, _ = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0, output
    return output


def hash_in(output):
    return re.findall(r"^variables (\w+)$", output, re.MULTILINE)[-1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("runs_of_processes")


@pytest.fixture(scope="module")
def processes(small_training_dataset, folder):
    started = Processes(write_config(folder, small_training_dataset.path))
    yield started
    for process in started.started:
        if process.poll() is None:
            process.kill()
            process.communicate()


@pytest.fixture(scope="module")
def undisturbed(processes):
    """Output of a run on one device; its batch norm keeps its statistics."""
    return finish(processes.start("name=undisturbed", *SETTINGS))


def files_of(folder, name):
    (run,) = (folder / "runs" / name).iterdir()
    metrics = json.loads((run / "metrics.json").read_text())
    for record in metrics["epochs"]:
        del record["images_per_s"]
    return (run / "losses.csv").read_text(), metrics["epochs"], metrics["tests"]


def wait_for_steps(folder, name, steps, process):
    """Waits until a run has written the losses of so many steps."""
    end = time.monotonic() + TIMEOUT_S
    while time.monotonic() < end:
        for file in folder.glob(f"runs/{name}/*/losses.csv"):
            if len(file.read_text().splitlines()) > steps:
                return
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.005)
    pytest.fail(f"The run did not reach step {steps}.")


def test_killed_and_signalled_runs_end_like_an_undisturbed_one(
    processes, folder, undisturbed
):
    arguments = ("name=disturbed", *SETTINGS)
    killed = processes.start(*arguments)
    wait_for_steps(folder, "disturbed", 3, killed)
    killed.kill()
    killed.communicate()
    stopped = processes.start(*arguments, "--resume")
    wait_for_steps(folder, "disturbed", 6, stopped)
    stopped.send_signal(signal.SIGINT)
    output, _ = stopped.communicate(timeout=TIMEOUT_S)
    assert stopped.returncode == 130, output
    assert re.search(r"Interrupted.*Go on with: vpr train .*--resume", output)
    resumed = finish(processes.start(*arguments, "--resume"))

    assert hash_in(resumed) == hash_in(undisturbed)
    assert files_of(folder, "disturbed") == files_of(folder, "undisturbed")


def test_two_replicas_have_the_losses_of_one_device(processes, folder, undisturbed):
    output = finish(
        processes.start(
            *("name=two_replicas", *SETTINGS),
            *("train.strategy=mirrored", "--cpu-devices=2"),
        )
    )
    assert "one_device, 1 replica(s)" in undisturbed
    assert "mirrored, 2 replica(s)" in output
    one, two = (
        [float(row["loss"]) for row in csv.DictReader(losses.splitlines())]
        for losses in (
            files_of(folder, name)[0] for name in ("undisturbed", "two_replicas")
        )
    )
    assert two == pytest.approx(one, rel=1e-4)


def test_two_workers_end_with_equal_weights(processes, folder):
    cluster = {"worker": [f"127.0.0.1:{port}" for port in free_ports(2)]}
    workers = [
        processes.start(
            "name=two_workers",
            "train.strategy=multi_worker",
            TF_CONFIG=json.dumps(
                {"cluster": cluster, "task": {"type": "worker", "index": index}}
            ),
        )
        for index in (0, 1)
    ]
    outputs = [finish(worker) for worker in workers]
    assert hash_in(outputs[0]) == hash_in(outputs[1])
    # Only the chief writes, validates and reports.
    assert "| test |" in outputs[0]
    assert "| test |" not in outputs[1]
    losses, epochs, tests = files_of(folder, "two_workers")
    assert len(losses.splitlines()) == 11
    assert all("1" in record["val_recalls"] for record in epochs)
    assert list(tests) == ["test"]


def free_ports(count):
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports
