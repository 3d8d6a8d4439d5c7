from pathlib import Path

import pytest

from data_prep.errors import DataPrepError, wrap_disk_errors


def test_full_disk_names_path_and_free_space():
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full on this system")
    message = r"(?s)/dev/full.*No space.*MB free"
    with pytest.raises(DataPrepError, match=message), wrap_disk_errors(full):
        full.write_bytes(b"x")


def test_other_errors_of_the_system_pass():
    with pytest.raises(FileNotFoundError), wrap_disk_errors(Path("x")):
        Path("/nowhere/x").read_bytes()
