import time

import pytest

from vpr_tf.training.run_folder import RunFolder
from vpr_tf.training.run_log_lines import printed_log

_TIME = "2026-11-29 20:08:36,123"


@pytest.fixture
def run(tmp_path):
    return RunFolder(tmp_path)


def append(run, text):
    with run.log_file.open("a") as file:
        file.write(text)


def test_messages_are_printed_without_times_and_debug(run, capsys):
    append(run, f"{_TIME} INFO of the run before\n")
    with printed_log(run, lambda: None):
        append(run, f"{_TIME} INFO | a table\n| of two lines\n")
        append(run, f"{_TIME} DEBUG for the file\nand its traceback\n")
        append(run, f"{_TIME} WARNING look at this\n{_TIME} INFO half a li")
    assert capsys.readouterr().out == "| a table\n| of two lines\nlook at this\n"


def test_run_that_begins_later_is_found_and_printed_as_it_grows(run, capsys):
    found = []
    with printed_log(None, lambda: found[0] if found else None):
        found.append(run)
        append(run, f"{_TIME} INFO first\n")
        end, printed = time.monotonic() + 20, ""
        while not printed and time.monotonic() < end:
            time.sleep(0.05)
            printed = capsys.readouterr().out
        assert printed == "first\n"
