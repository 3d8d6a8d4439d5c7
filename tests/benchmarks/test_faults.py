"""The campaign of faults in its short form: one trial of each on one command."""

import json
import subprocess
import sys

import numpy as np
import pytest

from benchmarks.faults import injections
from benchmarks.faults.__main__ import counts_table
from benchmarks.faults.campaign import Count


@pytest.mark.slow
def test_index_survives_one_fault_of_each_kind(tmp_path):
    command = [sys.executable, "-m", "benchmarks.faults", "--count", "1"]
    command += ["--operations", "index_remove", "--output", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    counts = json.loads((tmp_path / "counts.json").read_text())
    assert {key.split()[1] for key in counts} == set(injections.FAULTS)
    ran = [key for key, count in counts.items() if count["trials"]]
    assert len(ran) >= len(injections.FAULTS) - len(injections.NEED_A_MOUNT)


def test_a_rename_fails_before_or_after_it_is_done(tmp_path, monkeypatch):
    for name in ("rename", "replace"):
        monkeypatch.setattr(injections.os, name, getattr(injections.os, name))

    def fail(calls, source, *, is_before):
        if calls == 2 and not is_before:
            raise OSError("reported as failed")

    injections.watch_renames(fail)
    for name in ("a", "b"):
        (tmp_path / name).touch()
    (tmp_path / "a").rename(tmp_path / "c")
    with pytest.raises(OSError, match="reported as failed"):
        (tmp_path / "b").rename(tmp_path / "d")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c", "d"]


class FakeTrial:
    """A command that is done when it is started for the third time."""

    def __init__(self):
        self.rng, self.seconds, self.starts = np.random.default_rng(0), 0.01, 0

    def start(self):
        self.starts += 1
        return self

    def wait(self, seconds):
        return 0 if self.starts == 3 else None

    def kill(self):
        return -9


def test_kill_goes_on_until_the_command_is_done():
    assert injections.kill(FakeTrial()) == [-9, -9, 0]


def test_table_counts_findings():
    counts = {"train kill": Count(3, 2, ["1: traceback"], 61.0)}
    row = counts_table(counts).to_markdown().splitlines()[2]
    cells = [cell.strip() for cell in row.split("|")[1:-1]]
    assert cells == ["train", "kill", "3", "2", "1", "61"]
