"""`make quickstart`: what is done is not done again, what was stopped goes on."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RUN = "runs/quickstart/2026-01-01_00-00-00"
# Stands for `vpr`: notes what it was called with; the first training is killed.
STAND_IN = f"""#!/bin/sh
echo "$@" >> calls
case "$1 $2" in
  "train --config") mkdir -p {RUN}; [ -e killed ] || {{ touch killed; exit 130; }};;
  "index build") mkdir "$4";;
  "localize --index") test -d "$3";;
esac
"""


@pytest.fixture
def checkout(tmp_path):
    """A folder with the Makefile and all that `make install` would have made."""
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    for folder in ("configs", ".venv/bin", "datasets/quickstart_images/test/queries"):
        (tmp_path / folder).mkdir(parents=True)
    shutil.copy(ROOT / "configs" / "quickstart.yaml", tmp_path / "configs")
    queries = tmp_path / "datasets" / "quickstart_images" / "test" / "queries"
    for number in range(400):
        (queries / f"@{number:03}@.jpg").touch()
    program = tmp_path / ".venv" / "bin" / "vpr"
    program.write_text(STAND_IN)
    program.chmod(0o755)
    (tmp_path / ".venv" / ".installed").touch()
    return tmp_path


def make(checkout):
    """Returns the status of make, and what `vpr` was called with."""
    calls = checkout / "calls"
    calls.unlink(missing_ok=True)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
    done = subprocess.run(
        ["make", "--silent", "quickstart"],
        cwd=checkout,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done, calls.read_text().splitlines()


def test_quickstart_goes_on_where_it_was_stopped(checkout):
    config = "--config configs/quickstart.yaml"
    stopped, calls = make(checkout)
    assert stopped.returncode
    assert calls[1:] == [
        f"data build {config}",
        f"data inspect {config}",
        f"train {config}",
    ]
    done, calls = make(checkout)
    assert done.returncode == 0, done.stderr
    assert calls[:-1] == [
        f"train {config} --resume",
        f"evaluate {config} --model {RUN} --report",
        f"index build --index quickstart.index {config} --model {RUN}",
        f"index calibrate --index quickstart.index {config}",
    ]
    assert calls[-1].startswith("localize --index quickstart.index ")
    assert calls[-1].count(".jpg") == 5
    assert done.stdout.rstrip().endswith(
        "vpr serve --index quickstart.index --photos "
        "datasets/quickstart_images/test/database"
    )
    done, calls = make(checkout)
    assert done.returncode == 0
    assert [call.split()[0] for call in calls] == ["localize"]
