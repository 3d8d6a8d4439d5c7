import subprocess
import sys

import pytest

from data_prep.synthesize import presets
from tests.command_line import vpr

from .small_city import SMALL_PRESET


@pytest.fixture(autouse=True)
def small_preset(monkeypatch):
    monkeypatch.setitem(presets.PRESETS, "small", SMALL_PRESET)


def run(*words):
    return vpr("data", "synthesize", *words)


def test_run_draws_the_city_and_prints_counts(tmp_path, capsys):
    output = ["--output", tmp_path / "city"]
    assert run(*output, "--preset", "small", "--workers", "1") == 0
    assert "test/queries" in capsys.readouterr().out
    assert len(list((tmp_path / "city/test/queries").iterdir())) == 5


def test_run_reports_errors_without_a_traceback(tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("")
    assert run("--output", tmp_path, "--preset", "small") == 2
    assert "new or empty folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--workers", "0", "argument --workers"),
        ("--image-size", "3", "`image_size`"),
        ("--preset", "large", "`preset` must be one of quickstart"),
    ],
)
def test_run_invalid_option(tmp_path, capsys, option, value, message):
    output = ["--output", tmp_path / "city", "--preset", "small"]
    assert run(*output, option, value) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "city").exists()


def test_command_does_not_import_tensorflow():
    code = (
        "import sys, data_prep.synthesize; "
        "sys.exit(any(name in sys.modules for name in ('tensorflow', 'keras')))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_run_plants_faults_beside_the_city(tmp_path, capsys):
    output = ["--output", tmp_path / "city", "--preset", "small", "--workers", "1"]
    assert run(*output, "--faults", "0.3") == 0
    assert "with a planted fault" in capsys.readouterr().out
    lines = (tmp_path / "city/faulty/faults.csv").read_text().splitlines()
    assert lines[0] == "photo,fault,copy_of"
    assert len(lines) > 5
    assert run(*output, "--faults", "0.9") == 2
    assert "at most 0.5" in capsys.readouterr().err
