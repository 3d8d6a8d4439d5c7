"""What prepares a drawn tree."""

import pytest

from data_prep.datasets import prepare_dataset


@pytest.fixture
def prepare(tmp_path):
    """Prepares what lies in `tmp_path / "raw"`."""

    def run(name):
        raw, tables = tmp_path / "raw", tmp_path / "tables"
        before = {path: path.stat().st_mtime_ns for path in raw.rglob("*")}
        prepared = prepare_dataset(name, raw, tables, progress=False)
        assert {path: path.stat().st_mtime_ns for path in raw.rglob("*")} == before
        return prepared

    return run
