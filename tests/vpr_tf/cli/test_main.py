"""What all commands share: names, help, statuses, errors, JSON."""

import errno
import importlib
import json
import subprocess
import sys

import pytest

from tests.command_line import vpr
from vpr_tf.cli.commands import COMMANDS, GROUPS
from vpr_tf.cli.main import Outcome, command_module
from vpr_tf.config import load_config


def run_alone(code: str) -> subprocess.CompletedProcess:
    """Runs code in a process that has imported nothing; it must not load TensorFlow."""
    check = "\nassert not {'tensorflow', 'keras'} & set(sys.modules), 'TensorFlow'\n"
    return subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}{check}"],
        capture_output=True,
        text=True,
    )


def test_help_of_every_command_loads_no_tensorflow():
    code = (
        "from vpr_tf.cli import main\n"
        "from vpr_tf.cli.commands import COMMANDS\n"
        "assert main(['--help']) == 0\n"
        "for name in COMMANDS:\n"
        "    assert main([*name.split(), '--help']) == 0\n"
    )
    done = run_alone(code)
    assert done.returncode == 0, done.stderr
    for name in COMMANDS:
        assert f"usage: vpr {name}" in done.stdout


def test_what_is_wrong_is_refused_before_tensorflow_is_loaded(tmp_path):
    config = tmp_path / "city.yaml"
    config.write_text(f"name: city\ndataset: {{path: {tmp_path / 'dataset'}}}\n")
    refused = [
        "train --config no.yaml",
        f"train --config {config} train.batch_siez=3",
        f"train --config {config}",
        f"evaluate --config {config} --model nothing",
        f"evaluate --config {config}",
        "compare no no",
        f"index calibrate --index no --config {config}",
        f"index add --index {tmp_path} --photos no",
        f"index tune --index {tmp_path}",
        "localize --index no photo.jpg",
        "localize --classifier no photo.jpg",
        "query --index no photo.jpg",
        "serve --index no",
        "export --model no",
        "convert --checkpoint no.pth --name megaloc --output a.keras",
        f"whiten --config {config} --dim 3 --output a.keras",
        "models show no",
        "models parity --name megaloc --golden no.npz --golden-dir .",
        "data inspect --dataset no",
    ]
    code = (
        "from vpr_tf.cli import main\n"
        f"for words in {refused!r}:\n"
        "    assert main(words.split()) == 2, words\n"
    )
    done = run_alone(code)
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == len(refused), done.stderr
    assert all(line.startswith("Error: ") for line in lines)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_an_example_of_the_command(name):
    help_text = importlib.import_module(command_module(name)).__doc__
    assert f"  vpr {name} " in help_text or f"  vpr {name}\n" in help_text


def test_groups_are_those_of_the_commands():
    groups = {" ".join(name.split()[:n]) for name in COMMANDS for n in (1, 2)}
    assert groups - set(COMMANDS) == set(GROUPS)


def test_without_a_command_the_first_steps_are_told(capsys):
    assert vpr() == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 10
    assert any("vpr localize --index" in line for line in lines)
    assert vpr("--version") == 0
    assert capsys.readouterr().out.startswith("vpr 0.")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["trian"], "Did you mean `vpr train`?"),
        (["index", "biuld"], "Did you mean `vpr index build`?"),
        (["models", "xyz"], "No command vpr models xyz. See `vpr models --help`"),
        (["train"], "arguments are required: --config. See `vpr train --help`"),
        (["index", "verify", "--indx", "a"], "See `vpr index verify --help`"),
    ],
)
def test_wrong_words_are_one_line(capsys, words, message):
    assert vpr(*words) == 2
    error = capsys.readouterr().err
    assert error.startswith("Error: ")
    assert message in error
    assert len(error.splitlines()) == 1


def with_run(monkeypatch, run):
    monkeypatch.setattr("vpr_tf.cli.models.list.run", run)


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (ValueError("wrong"), 2, "Error: wrong"),
        (OSError(errno.ENOSPC, "No space left", "a/b"), 2, "a/b: No space left. Free"),
        (PermissionError(errno.EACCES, "Denied", "a"), 2, "a: Denied. Make it"),
        (MemoryError(), 2, "Not enough memory. Use smaller batches"),
        (KeyboardInterrupt(), 130, "The same command continues."),
    ],
)
def test_errors_have_a_status_and_a_message(
    monkeypatch, capsys, error, status, message
):
    def run(options):
        raise error

    with_run(monkeypatch, run)
    assert vpr("models", "list") == status
    assert message in capsys.readouterr().err


def test_errors_of_tensorflow_are_one_line(monkeypatch, capsys):
    import tensorflow as tf

    for kind, message in (
        (tf.errors.ResourceExhaustedError, "Not enough memory. Use smaller batches"),
        (tf.errors.NotFoundError, "Error: TensorFlow: no such thing. VPR_TRACEBACK=1"),
    ):

        def run(options, kind=kind):
            raise kind(None, None, "no such thing\n\t [[{{node x}}]]")

        with_run(monkeypatch, run)
        assert vpr("models", "list") == 2
        error = capsys.readouterr().err
        assert message in error
        assert len(error.splitlines()) == 1


def test_a_fault_of_the_program_is_not_hidden(monkeypatch):
    def run(options):
        raise KeyError("fault")

    with_run(monkeypatch, run)
    with pytest.raises(KeyError):
        vpr("models", "list")


def test_json_is_all_that_goes_to_the_screen(monkeypatch, capsys):
    def run(options):
        print("on the way")
        return Outcome({"value": 1}, "for people", 1)

    with_run(monkeypatch, run)
    assert vpr("models", "list", "--json") == 1
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {"value": 1}
    assert captured.err == "on the way\n"
    assert vpr("models", "list") == 1
    assert capsys.readouterr().out == "on the way\nfor people\n"


def test_unknown_numbers_are_null_in_json(monkeypatch, capsys):
    with_run(monkeypatch, lambda options: Outcome([float("nan"), {"a": (1.5,)}]))
    assert vpr("models", "list", "--json") == 0
    assert json.loads(capsys.readouterr().out) == [None, {"a": [1.5]}]


def test_print_config_can_be_loaded_again(tmp_path, capsys):
    (tmp_path / "a.yaml").write_text("name: a\ndataset: {path: p}\n")
    words = ["train", "--config", tmp_path / "a.yaml", "train.batch_size=7"]
    assert vpr(*words, "--print-config") == 0
    (tmp_path / "b.yaml").write_text(capsys.readouterr().out)
    assert load_config(tmp_path / "b.yaml").train.batch_size == 7


def test_released_encoders_are_listed_and_shown(capsys):
    assert vpr("models", "list") == 0
    assert "cosplace_resnet50_2048" in capsys.readouterr().out
    assert vpr("models", "show", "megaloc", "--json") == 0
    assert json.loads(capsys.readouterr().out)["descriptor_dim"] == 8448
