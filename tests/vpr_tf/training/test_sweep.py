import json

import pytest

from tests.command_line import vpr
from tests.small_training import build_small_encoder, write_config
from tests.vpr_tf.report.stored_runs import FAIR, GOOD, write_run
from vpr_tf.config import ConfigError
from vpr_tf.data import DatasetError
from vpr_tf.training.errors import TrainingError
from vpr_tf.training.run_folder import create_run_folder
from vpr_tf.training.sweep import find_sweep_run, run_sweep
from vpr_tf.training.sweep_combinations import combinations, split_values
from vpr_tf.training.sweep_cost import sweep_costs
from vpr_tf.training.sweep_process import execute_apart

SWEPT = ["encoder.aggregation.name=gem,max", "seed=0,1"]


@pytest.fixture
def config_file(tmp_path, small_training_dataset):
    return write_config(tmp_path, small_training_dataset.path)


class StandInTraining:
    """Trains in no time: writes what a run leaves, or stops in its middle."""

    def __init__(self):
        self.calls, self.stops, self.fails = [], set(), set()

    def __call__(self, combination, log_file):
        run = find_sweep_run(combination).folder
        self.calls.append((combination.text, run is not None))
        if combination.text in self.fails:
            raise ValueError("the loss is NaN")
        run = run or create_run_folder(combination.config)
        metrics = {"run": {}, "epochs": [{"epoch": 0}], "tests": {}}
        run.metrics_file.write_text(json.dumps(metrics))
        if combination.text in self.stops:
            raise KeyboardInterrupt
        run.metrics_file.write_text(json.dumps(metrics | {"savedmodel": None}))
        ranks = GOOD if "max" in combination.text else FAIR
        write_run(run.path, {("small", "val"): ranks, ("small", "test"): ranks})


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("gem,max", ["gem", "max"]),
        ("[1,2],[3]", ["[1,2]", "[3]"]),
        ("[{name: A, factor: 0.5},{name: B}]", ["[{name: A, factor: 0.5},{name: B}]"]),
        ("'a,b',c", ["'a,b'", "c"]),
        ("it's,b", ["it's", "b"]),
        ("[1,2", ["[1,2"]),
    ],
)
def test_values_are_split_outside_of_brackets_and_quotes(text, values):
    assert split_values(text) == values


def test_names_of_lists_say_what_they_hold(config_file):
    lists = "[],[{name: Night, noise: 0.1}],[{name: Night},{name: keras.RandomShear}]"
    _, found = combinations(config_file, [f"train.augmentation.extra={lists}"])
    names = [each.config.name.rpartition("-")[0] for each in found]
    assert names == ["extra=none", "extra=Night", "extra=Night+keras.RandomS"]
    # What the words leave out is in the digits behind them.
    _, other = combinations(
        config_file, ["train.augmentation.extra=[{name: Night}],[{name: Haze}]"]
    )
    assert other[0].config.name.startswith("extra=Night-")
    assert other[0].config.name != found[1].config.name


def test_combinations_are_all_in_order_with_seeds_of_one_name(config_file, tmp_path):
    text = config_file.read_text()
    config_file.write_text(text.replace("export: never", "export: best"))
    folder, found = combinations(config_file, [*SWEPT, "train.epochs=3"])
    assert folder == tmp_path / "runs/small-sweep"
    assert [each.text for each in found] == [
        f"encoder.aggregation.name={name} seed={seed}"
        for name in ("gem", "max")
        for seed in (0, 1)
    ]
    assert [each.config.name for each in found] == [
        *["aggregation=gem"] * 2,
        *["aggregation=max"] * 2,
    ]
    assert {c.config.train.epochs for c in found} == {3}
    assert {c.config.train.export for c in found} == {"never"}
    assert {c.config.runs_dir for c in found} == {str(folder)}


def test_names_of_folders_tell_values_apart(config_file):
    keys = ["train.encoder_optimizer", "train.head_optimizer"]
    _, found = combinations(config_file, [f"{k}.learning_rate=0.1,0.2" for k in keys])
    assert found[0].config.name == ",".join(f"{k}.learning_rate=0.1" for k in keys)
    _, found = combinations(config_file, ["evaluation.recall_values=[1,5],[1,50]"])
    names = [each.config.name for each in found]
    assert len(set(names)) == 2
    assert all("[" not in name for name in names)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["seed=0"], "Nothing to sweep"),
        (["seed=0,"], "empty or twice"),
        (["seed=1,1"], "empty or twice"),
        (["seed=0,1", "name=a,b"], "`name` cannot be swept"),
        (["train.encoder_optimizer.learning_rate=0.1,1e-1"], "are one"),
        (["seed=0,1", "encoder.weights=run:a"], "Name the file"),
        (["encoder.aggregation.name=gem,none_such"], "name=none_such: "),
    ],
)
def test_what_cannot_be_swept_is_refused_before_any_run(
    config_file, overrides, message
):
    with pytest.raises(ConfigError, match=message):
        combinations(config_file, overrides)


def test_a_stopped_sweep_goes_on_and_ends_in_a_table(config_file):
    folder, found = combinations(config_file, SWEPT)
    training, lines = StandInTraining(), []
    training.stops = {found[1].text}
    with pytest.raises(KeyboardInterrupt):
        run_sweep(found, folder, training, lines.append)
    assert not (folder / "runs.md").exists()
    training.stops = set()
    training.calls.clear()
    table, failed = run_sweep(found, folder, training, lines.append)
    assert not failed
    assert training.calls == [
        (found[1].text, True),
        (found[2].text, False),
        (found[3].text, False),
    ]
    assert len(lines) == 1 + 4
    assert [(row.name, row.seeds) for row in table.rows] == [
        ("aggregation=gem", [0, 1]),
        ("aggregation=max", [0, 1]),
    ]
    written = (folder / "runs.md").read_bytes()
    training.calls.clear()
    run_sweep(found, folder, training, lines.append)
    assert training.calls == []
    assert (folder / "runs.md").read_bytes() == written


def test_a_failing_combination_is_named_and_the_others_go_on(
    config_file, monkeypatch, capsys
):
    training = StandInTraining()
    _, found = combinations(config_file, SWEPT)
    training.fails = {found[0].text}
    monkeypatch.setattr("vpr_tf.training.sweep_process.execute_apart", training)
    assert vpr("sweep", "--config", config_file, *SWEPT) == 1
    out = capsys.readouterr().out
    assert f"[1/4] {found[0].text}: FAILED: the loss is NaN" in out
    assert f"1 of 4 failed: {found[0].text}" in out
    assert len(training.calls) == 4
    training.fails = set()
    assert vpr("sweep", "--config", config_file, *SWEPT) == 0


def test_a_missing_partition_is_told_before_any_work(config_file):
    folder, found = combinations(config_file, ["dataset.partition=cosplace,no_such"])
    train = StandInTraining()
    with pytest.raises(DatasetError, match="has no partition 'no_such'"):
        run_sweep(found, folder, train)
    assert train.calls == []


def test_a_run_of_other_settings_is_refused(config_file):
    folder, found = combinations(config_file, SWEPT)
    run_sweep(found, folder, StandInTraining(), lambda line: None)
    for override in ("train.batch_size=8", "train.epochs=5"):
        _, changed = combinations(config_file, [*SWEPT, override])
        with pytest.raises(TrainingError, match=override.partition("=")[0]):
            run_sweep(changed, folder, StandInTraining())


def test_a_config_that_was_killed_while_written_is_passed_over(config_file):
    _, found = combinations(config_file, SWEPT)
    create_run_folder(found[0].config).config_file.write_text("name: [")
    assert find_sweep_run(found[0]).folder is None


def test_costs_are_measured_once_for_each_encoder(config_file):
    _, found = combinations(config_file, SWEPT)
    training = StandInTraining()
    training.stops = {found[1].text}
    training(found[0], None)
    with pytest.raises(KeyboardInterrupt):
        training(found[1], None)
    measured = []

    def measure(config):
        measured.append(config.encoder.aggregation.name)
        return 0.5

    costs = sweep_costs([find_sweep_run(each) for each in found], measure)
    assert measured == ["gem", "max"]
    states = [(cost.run.state, cost.total_s) for cost in costs]
    assert states == [
        ("done", 0),
        ("stopped", 2.5),  # an epoch of 5 steps is left
        ("not started", 5),
        ("not started", 5),
    ]


def test_a_dry_run_measures_steps_and_leaves_nothing(
    config_file, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr("vpr_tf.training.train.build_encoder", build_small_encoder)
    before = sorted(tmp_path.rglob("*"))
    words = ["--config", config_file, "train.batch_size=2,4", "--dry-run"]
    assert vpr("sweep", *words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("train.batch_size=2: not started, 10 steps of 0.")
    assert "2 combinations, 0 done" in lines[-1]
    assert "Start, val, tests and reports are extra." in lines[-1]
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.slow
def test_what_a_process_failed_of_is_told_and_logged(config_file, tmp_path):
    _, found = combinations(config_file, ["seed=0,1", "train.groups_num=99"])
    log_file = tmp_path / "sweep.log"
    with pytest.raises(TrainingError, match="groups_num` must be between"):
        execute_apart(found[0], log_file)
    assert "Traceback" in log_file.read_text()
