import json

import numpy as np
import pytest

from vpr_tf.search import (
    IndexMismatchError,
    build_index,
    load_saved_index,
    save_index,
)

ROWS = np.eye(20, dtype=np.float32)


def test_saved_index_can_be_moved(tmp_path):
    index = build_index("exact", ROWS)
    save_index(index, tmp_path / "a", "descriptors 1")
    save_index(index, tmp_path / "a", "descriptors 1")  # replaces
    (tmp_path / "elsewhere").mkdir()
    moved = (tmp_path / "a").rename(tmp_path / "elsewhere" / "b")
    loaded = load_saved_index(moved, ROWS, "descriptors 1")
    for got, expected in zip(
        loaded.search(ROWS[:6], 4), index.search(ROWS[:6], 4), strict=True
    ):
        np.testing.assert_array_equal(got, expected)
    assert [path.name for path in tmp_path.iterdir()] == ["elsewhere"]


def test_index_of_other_descriptors_is_refused(tmp_path):
    folder = save_index(build_index("exact", ROWS), tmp_path / "index", "descriptors 1")
    with pytest.raises(
        IndexMismatchError, match=r"must be descriptors 2\. Received: d"
    ):
        load_saved_index(folder, ROWS, "descriptors 2")
    with pytest.raises(IndexMismatchError, match=r"must be 19\. Received: 20"):
        load_saved_index(folder, ROWS[:19], "descriptors 1")


def test_folder_that_is_no_index_is_refused(tmp_path):
    with pytest.raises(IndexMismatchError, match="No index at"):
        load_saved_index(tmp_path, ROWS, "descriptors")
    folder = save_index(build_index("exact", ROWS), tmp_path / "index", "descriptors")
    path = folder / "index.json"
    description = json.loads(path.read_text())
    path.write_text(json.dumps(description | {"kind": "unheard_of"}))
    with pytest.raises(IndexMismatchError, match="unknown kind 'unheard_of'"):
        load_saved_index(folder, ROWS, "descriptors")
    for name, value in {"kind": [], "files": {"a": 1}, "settings": 0}.items():
        path.write_text(json.dumps(description | {name: value}))
        with pytest.raises(IndexMismatchError, match=f"No index at .*`{name}"):
            load_saved_index(folder, ROWS, "descriptors")
    path.write_text(json.dumps(description | {"format_version": 99}))
    with pytest.raises(IndexMismatchError, match="format_version 99"):
        load_saved_index(folder, ROWS, "descriptors")


def test_damaged_files_are_refused(tmp_path):
    folder = save_index(build_index("exact", ROWS), tmp_path / "index", "descriptors")
    path = folder / "squared_norms.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(IndexMismatchError, match="not those that were written"):
        load_saved_index(folder, ROWS, "descriptors")
    path.unlink()
    with pytest.raises(IndexMismatchError, match="not those that were written"):
        load_saved_index(folder, ROWS, "descriptors")
