"""Errors of a full disk name the file, whoever raised them."""

import errno
import os
from pathlib import Path

import pytest
import tensorflow as tf

from vpr_tf.atomic_files import replace_file
from vpr_tf.cli.main import _explain
from vpr_tf.disk_errors import is_full, with_path
from vpr_tf.training.errors import TrainingError
from vpr_tf.training.run_folder import RunFolder, full_disk_told

WORDS = os.strerror(errno.ENOSPC)
FULL = (
    OSError(errno.ENOSPC, WORDS),
    # As h5py and TensorFlow say it.
    OSError(f"Unable to create file (errno = 28, error message = '{WORDS}')"),
    RuntimeError(f"Unable to close file (file write failed: '{WORDS}')"),
    tf.errors.ResourceExhaustedError(None, None, f"run/step-2.index; {WORDS}"),
)


def fail_to_write(path, error):
    with replace_file(path) as temporary:
        temporary.write_text("")
        raise error


def fail_twice(path):
    try:
        with with_path(path):
            raise FULL[0]
    finally:
        raise FULL[3]


@pytest.mark.parametrize("error", FULL, ids=lambda error: type(error).__name__)
def test_a_full_disk_is_told_with_the_file_and_how_to_go_on(error, tmp_path):
    assert is_full(error)
    run = RunFolder(tmp_path / "run")
    message = rf"No space left to write {tmp_path}/losses.csv\. .*--resume {run.path}$"
    with pytest.raises(TrainingError, match=message), full_disk_told(run):
        fail_to_write(tmp_path / "losses.csv", error)
    assert not list(tmp_path.iterdir())


def test_an_error_while_another_is_handled_names_the_first_file(tmp_path):
    message = f"No space left to write {tmp_path}/first"
    with pytest.raises(TrainingError, match=message), full_disk_told(None):
        fail_twice(tmp_path / "first")


@pytest.mark.parametrize(
    "error", [ValueError("x"), OSError("no number"), FileNotFoundError(2, "x", "file")]
)
def test_other_errors_stay_as_they_are(error, tmp_path):
    with pytest.raises(type(error)) as raised, with_path(tmp_path):
        raise error
    assert raised.value is error


def test_what_has_no_path_gets_one():
    with pytest.raises(PermissionError) as raised, with_path(Path("a")):
        raise PermissionError(errno.EACCES, "x")
    assert raised.value.filename == "a"


def test_a_full_disk_is_not_told_as_too_little_memory():
    assert "Free some space" in _explain(FULL[3])
    memory = tf.errors.ResourceExhaustedError(None, None, "OOM when allocating")
    assert "Not enough memory" in _explain(memory)
