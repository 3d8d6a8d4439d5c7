"""evaluate.py as people call it."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import evaluate
from tests.vpr_tf.evaluation.tiny_dataset import Shot, write_dataset
from vpr_tf.data.prepared_dataset import PreparedDataset
from vpr_tf.evaluation import dataset_folder

ROOT = Path(__file__).resolve().parents[2]
CONFIG = """
name: town
seed: 1
runs_dir: {folder}/runs
dataset: {{path: {folder}/dataset}}
encoder:
  {{backbone: EfficientNetLite0, descriptor_dim: 8, last_stage: 1, weights: none}}
evaluation:
  resize: square
  image_size: 32
  recall_values: [1, 3]
  queries_to_draw: 2
"""
SLOW_EXTRACTION = """
import sys, time
from vpr_tf.config import load_config
from vpr_tf.evaluation import command
from vpr_tf.extraction import descriptor_file
descriptor_file._COMMIT_EVERY_S = 0.0
write = descriptor_file.DescriptorFile.write
def slow_write(self, rows, descriptors):
    write(self, rows, descriptors)
    time.sleep(0.2)
descriptor_file.DescriptorFile.write = slow_write
command.run_evaluation(load_config(sys.argv[1], ["evaluation.batch_size=1"]))
"""


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    """Folder with a config and a dataset whose queries partly lack a position."""
    folder = tmp_path_factory.mktemp("town")
    rng = np.random.default_rng(0)
    colours = [tuple(int(c) for c in rng.integers(20, 235, 3)) for _ in range(12)]
    write_dataset(
        folder / "dataset",
        {
            "val-database": [Shot(c, 100 * i) for i, c in enumerate(colours[:4])],
            "val-queries": [Shot(colours[1], 101), Shot(colours[2], 0, zone=0)],
            "test-day-database": [Shot(c, 100 * i) for i, c in enumerate(colours)],
            "test-day-queries": [Shot(c, 100 * i + 9) for i, c in enumerate(colours)],
        },
    )
    (folder / "town.yaml").write_text(CONFIG.format(folder=folder))
    return folder


def start(folder, *arguments):
    command = [sys.executable, ROOT / "evaluate.py", "--config", folder / "town.yaml"]
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "-1"}
    return subprocess.run(
        [*command, *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment,
        check=False,
    )


def test_initial_weights_are_evaluated_on_val_with_unknown_positions(town):
    output = town / "out"
    done = start(town, "--set", "val", "--output", output, "evaluation.batch_size=3")
    assert done.returncode == 0, done.stderr
    assert "initial weights (none)" in done.stdout
    assert "1 of 2 queries have no position" in done.stdout
    (of_dataset,) = output.iterdir()
    assert of_dataset.name.startswith("dataset-")
    folder = of_dataset / "val"
    assert (folder / "results.md").read_text() in done.stdout
    result = json.loads((folder / "results.json").read_text())
    assert result["num_queries_without_position"] == 1
    assert result["recalls"]["1"] in (0, 100)
    with (folder / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 3
    assert {row["is_positive"] for row in rows[3:]} == {""}
    assert len(list((folder / "pictures").iterdir())) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "nowhere"], "nowhere is no model"),
        (["--set", "night"], "no evaluation set 'night'. It has: val, day"),
        (["dataset.path=nowhere"], "No prepared dataset at nowhere"),
        (["evaluation.resize=bigger"], "evaluation.resize"),
        (["--output", "town.yaml/x", "--set", "val"], "town.yaml/x"),
    ],
)
def test_wrong_arguments_are_one_line_and_status_2(
    town, arguments, message, capsys, monkeypatch
):
    monkeypatch.chdir(town)
    assert evaluate.main(["--config", "town.yaml", *arguments]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("Error: ")
    assert message in last


@pytest.mark.slow
def test_killed_extraction_continues_to_the_same_descriptors(town):
    dataset = PreparedDataset(town / "dataset")
    results = town / "runs" / "town" / "evaluation_initial_weights"
    work = dataset_folder(results, dataset) / "descriptors"
    done_file = work / "test-day-database" / "done.npy"
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW_EXTRACTION, town / "town.yaml"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 300
    while not (done_file.exists() and np.load(done_file).sum() >= 4):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = np.load(done_file)
    assert before.any()
    assert not before.all()
    kept = np.load(done_file.with_name("descriptors.npy"))[before]
    config = ["--config", str(town / "town.yaml")]
    assert evaluate.main(config) == 0
    assert evaluate.main([*config, "--output", str(town / "undisturbed")]) == 0
    descriptors = np.load(done_file.with_name("descriptors.npy"))
    np.testing.assert_array_equal(descriptors[before], kept)
    undisturbed = dataset_folder(town / "undisturbed", dataset)
    expected = undisturbed / "descriptors" / "test-day-database"
    np.testing.assert_allclose(
        descriptors, np.load(expected / "descriptors.npy"), atol=1e-5
    )
    for name in ("day/results.md", "day/results.json"):
        assert (work.parent / name).read_text() == (undisturbed / name).read_text()
