"""Training on a Ray cluster of two machines, one of which is lost."""

import csv
import json
import threading
import time

import pytest

from tests.command_line import vpr
from tests.small_training import write_config

pytestmark = [
    pytest.mark.slow,
    # Ray warns of its own settings.
    pytest.mark.filterwarnings("ignore::DeprecationWarning:ray.*"),
]

# Batch statistics would be those of each replica's share.
SETTINGS = ("encoder.bn_mode=keras", "encoder.train_from_stage=1", "train.epochs=2")
_KILL_WITHIN_S = 200


def losses_of(folder, name):
    (run,) = (folder / "runs" / name).iterdir()
    metrics = json.loads((run / "metrics.json").read_text())
    with (run / "losses.csv").open() as file:
        losses = [float(row["loss"]) for row in csv.DictReader(file)]
    return losses, metrics["tests"]["test"]["recalls"]


def when_at_step(folder, name, step, action):
    """Does something once a run has written the losses of so many steps."""

    def watch():
        end = time.monotonic() + _KILL_WITHIN_S
        while time.monotonic() < end:
            for file in folder.glob(f"runs/{name}/*/losses.csv"):
                if len(file.read_text().splitlines()) > step:
                    action()
                    return
            time.sleep(0.01)

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


def test_run_that_loses_a_machine_has_the_losses_of_an_undisturbed_one(
    tmp_path, cluster, small_training_dataset, capsys
):
    config = write_config(tmp_path, small_training_dataset.path)
    words = ("train", "--config", config, *SETTINGS, "--ray", cluster.address)
    assert vpr(*words, "name=whole") == 0
    assert "multi_worker, 2 replica(s)" in capsys.readouterr().out
    losses, recalls = losses_of(tmp_path, "whole")

    thread = when_at_step(tmp_path, "disturbed", 5, cluster.kill_other)
    assert vpr(*words, "name=disturbed") == 0
    thread.join()
    assert cluster.other is None, "it was not killed"
    printed = capsys.readouterr().out
    assert "A machine was lost at step" in printed
    assert "Training on 1 machines of the cluster." in printed
    disturbed, disturbed_recalls = losses_of(tmp_path, "disturbed")
    assert len(losses) == 10
    # Up to the checkpoint on two machines, from there on one, which rounds otherwise.
    assert disturbed[:4] == losses[:4]
    assert disturbed == pytest.approx(losses, rel=1e-3)
    assert disturbed_recalls.keys() == recalls.keys()


def test_what_the_workers_refuse_is_one_error(
    tmp_path, cluster, small_training_dataset, capsys
):
    config = write_config(tmp_path, small_training_dataset.path)
    words = ("train", "--config", config, *SETTINGS, "--ray", cluster.address)
    assert vpr(*words, "train.groups_num=7") == 2
    assert "`train.groups_num` must be between 1 and" in capsys.readouterr().err
