"""`vpr compare --latex-report`: a paper to be filled in, that compiles."""

import json
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

from tests.command_line import vpr
from tests.vpr_tf.report.stored_runs import FAIR, GOOD, write_run
from vpr_tf.config import config_from_values, save_config
from vpr_tf.report.errors import ReportError
from vpr_tf.report.latex_report import write_latex_report
from vpr_tf.report.run_settings import settings_tables
from vpr_tf.report.run_table import tabulate_runs
from vpr_tf.report.training_curves import read_training_curve

SETS = ("sf_xs", "val"), ("sf_xs", "test")
DATASET = {"dataset": {"path": "datasets/100%_city"}}


def config(name="a_b", **sections):
    return config_from_values({"name": name, **DATASET, **sections})


def finish(run, experiment, recalls=(40.0, 60.0)):
    """Gives a run what training leaves: config, epochs, pictures."""
    save_config(experiment, run / "config.yaml")
    epochs = [
        {"epoch": number, "mean_loss": 9.0 - number, "val_recalls": {"1": recall}}
        for number, recall in enumerate(recalls)
    ]
    (run / "metrics.json").write_text(json.dumps({"run": {}, "epochs": epochs}))
    for dataset, name in SETS:
        pictures = run / "report" / dataset / name / "pictures"
        pictures.mkdir(parents=True)
        for query in range(3):
            picture = Image.fromarray(np.full((20, 90, 3), 40 * query, np.uint8))
            picture.save(pictures / f"query_{query:06d}.jpg")
    return run


@pytest.fixture
def runs(tmp_path):
    first = write_run(tmp_path / "runs/a_b/1", dict.fromkeys(SETS, FAIR))
    second = write_run(tmp_path / "runs/c&d/1", dict.fromkeys(SETS, GOOD))
    head = {"name": "angular_margin", "margin": 0.3}
    return [
        finish(first, config()),
        finish(second, config("c_d", train={"head": head}), (50.0, 70.0)),
    ]


def test_files_of_a_paper(runs, tmp_path):
    files = write_latex_report(tabulate_runs(runs), tmp_path / "paper")
    assert all(path.is_file() for path in files)
    names = {path.name for path in files}
    assert {"report.tex", "settings.tex", "figures.tex", "runs.tex"} <= names
    assert {"training.png", "recall_at_1.png", "recall_at_5.png"} <= names
    skeleton = files[0].read_text()
    for part in ("settings", "runs", "figures"):
        assert rf"\input{{{part}}}" in skeleton
    settings = (tmp_path / "paper/settings.tex").read_text()
    assert r"train.head.name & train.head.margin" in settings
    assert r"c\&d/1 & angular\_margin & 0.3" in settings
    assert r"encoder.backbone & ResNet18" in settings
    figures = (tmp_path / "paper/figures.tex").read_text()
    copies = sorted(path.name for path in (tmp_path / "paper/examples").iterdir())
    # Two sets, the baseline and the best run, two pictures each.
    assert len(copies) == 8
    assert all(name in figures for name in copies)


def test_what_was_filled_in_stays_and_the_rest_is_made_anew(runs, tmp_path):
    folder = tmp_path / "paper"
    skeleton, *_ = write_latex_report(tabulate_runs(runs), folder)
    skeleton.write_text("my own words")
    (folder / "settings.tex").write_text("old")
    (folder / "examples/set9_run9_query_000009.jpg").write_bytes(b"")
    (folder / "examples/mine.jpg").write_bytes(b"")
    again, *_ = write_latex_report(tabulate_runs(runs), folder)
    assert again.read_text() == "my own words"
    assert "angular" in (folder / "settings.tex").read_text()
    assert (folder / "examples/mine.jpg").exists()
    assert not (folder / "examples/set9_run9_query_000009.jpg").exists()


def test_runs_without_configs_have_a_paper_too(tmp_path):
    run = write_run(tmp_path / "measured", dict.fromkeys(SETS, FAIR))
    files = write_latex_report(tabulate_runs([run]), tmp_path / "paper")
    assert "training.png" not in {path.name for path in files}
    settings = (tmp_path / "paper/settings.tex").read_text()
    assert settings.startswith("% Settings of all runs: No run has a config.yaml.")
    assert "examples" not in (tmp_path / "paper/figures.tex").read_text()


def test_lists_that_differ_inside_are_told_apart():
    extras = [[{"name": "Night", "noise": noise}] for noise in (0.04, 0.1)]
    configs = {
        f"run{number}": config(train={"augmentation": {"extra": extra}})
        for number, extra in enumerate([*extras, []])
    }
    _, table = settings_tables(configs, has_seeds=False)
    assert [column.name for column in table.columns] == [
        *("run", "train.augmentation.extra"),
    ]
    assert len({row[1] for row in table.rows}) == 3
    assert '"noise": 0.1' in table.rows[1][1]
    _, names = settings_tables({k: configs[k] for k in ("run0", "run2")}, has_seeds=0)
    assert [row[1] for row in names.rows] == ["Night", "none"]


def test_seed_is_a_setting_unless_rows_stand_for_seeds():
    configs = {"x": config(seed=1), "y": config(seed=2)}
    assert len(settings_tables(configs, has_seeds=False)) == 2
    assert len(settings_tables(configs, has_seeds=True)) == 1


def test_damaged_metrics_are_named(runs):
    (runs[0] / "metrics.json").write_text('{"epochs": [{"epoch": 0}]}')
    with pytest.raises(ReportError, match=r"Cannot read .*metrics.json.*mean_loss"):
        read_training_curve("a", runs[0])


def test_curve_has_the_epochs_that_were_validated(runs):
    path = runs[0] / "metrics.json"
    content = json.loads(path.read_text())
    del content["epochs"][0]["val_recalls"]
    path.write_text(json.dumps(content))
    curve = read_training_curve("a", runs[0])
    assert curve.losses == [9.0, 8.0]
    assert curve.recalls == [(2, 60.0)]


def test_command_needs_a_folder(runs, tmp_path, capsys):
    words = ["compare", *runs, "--latex-report"]
    assert vpr(*words) == 2
    assert "--latex-report needs a folder to write to" in capsys.readouterr().err
    assert vpr(*words, "--output", tmp_path / "paper") == 0
    line = f"Paper to be filled in: {tmp_path}/paper/report.tex"
    assert line in capsys.readouterr().out


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="there is no LaTeX")
@pytest.mark.slow
def test_paper_compiles(runs, tmp_path):
    folder = tmp_path / "paper"
    write_latex_report(tabulate_runs(runs), folder)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "report.tex"]
    for _ in range(2):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-2000:]
    assert "undefined" not in done.stdout
    assert (folder / "report.pdf").stat().st_size > 20_000
