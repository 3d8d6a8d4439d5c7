import argparse
import subprocess
import sys

import pytest

from data_prep.synthesize import command, presets

from .small_city import SMALL_PRESET


@pytest.fixture
def parse(monkeypatch):
    monkeypatch.setitem(presets.PRESETS, "small", SMALL_PRESET)
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return parser.parse_args


def test_run_draws_the_city_and_prints_counts(parse, tmp_path, capsys):
    arguments = parse(
        ["--output", str(tmp_path / "city"), "--preset", "small", "--workers", "1"]
    )
    assert command.run(arguments) == 0
    assert "test/queries" in capsys.readouterr().out
    assert len(list((tmp_path / "city/test/queries").iterdir())) == 5


def test_run_reports_errors_without_a_traceback(parse, tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("")
    arguments = parse(["--output", str(tmp_path), "--preset", "small"])
    assert command.run(arguments) == 2
    assert "new or empty folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [("--workers", "0", "`workers`"), ("--image-size", "3", "`image_size`")],
)
def test_run_invalid_option(parse, tmp_path, capsys, option, value, message):
    arguments = parse(
        ["--output", str(tmp_path / "city"), "--preset", "small", option, value]
    )
    assert command.run(arguments) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "city").exists()


def test_command_does_not_import_tensorflow():
    code = (
        "import sys, data_prep.synthesize.command; "
        "sys.exit(any(name in sys.modules for name in ('tensorflow', 'keras')))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
