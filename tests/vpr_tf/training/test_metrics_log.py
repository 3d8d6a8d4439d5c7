import json

import numpy as np

from vpr_tf.training.run_records import LossesFile, MetricsFile


def write_losses(path, steps, first=1):
    losses = LossesFile(path, first - 1)
    for step in steps:
        losses.append(step, 0, 1, float(np.float32(step / 3)))
    losses.close()


def test_losses_are_cut_at_the_checkpoint(tmp_path):
    undisturbed, resumed = tmp_path / "a.csv", tmp_path / "b.csv"
    write_losses(undisturbed, range(1, 8))
    write_losses(resumed, range(1, 6))
    # A killed process may leave part of a line.
    resumed.write_text(resumed.read_text() + "6,0,")
    write_losses(resumed, range(4, 8), first=4)
    assert resumed.read_text() == undisturbed.read_text()


def test_losses_give_float32_back_exactly(tmp_path):
    write_losses(tmp_path / "a.csv", range(1, 200))
    rows = (tmp_path / "a.csv").read_text().splitlines()[1:]
    values = [np.float32(row.split(",")[3]) for row in rows]
    assert values == [np.float32(step / 3) for step in range(1, 200)]


def test_a_new_run_forgets_old_losses(tmp_path):
    write_losses(tmp_path / "a.csv", range(1, 4))
    LossesFile(tmp_path / "a.csv").close()
    assert (tmp_path / "a.csv").read_text() == "step,epoch,group,loss\n"


def test_epochs_of_a_resumed_run_are_replaced(tmp_path):
    path = tmp_path / "metrics.json"
    for first in (0, 1):
        metrics = MetricsFile(path)
        metrics.drop_epochs(first)
        for epoch in range(first, 3):
            metrics.set_epoch({"epoch": epoch, "mean_loss": first})
    epochs = json.loads(path.read_text())["epochs"]
    assert [(r["epoch"], r["mean_loss"]) for r in epochs] == [(0, 0), (1, 1), (2, 1)]
    assert list(tmp_path.iterdir()) == [path]
