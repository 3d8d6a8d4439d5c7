import json

import numpy as np
import pytest

from vpr_tf.retrieval import (
    ExactIndex,
    IndexMismatchError,
    ScannIndex,
    build,
    build_index,
    load_index,
)

ROWS = np.eye(20, dtype=np.float32)


def test_auto_is_exact_up_to_a_size(monkeypatch):
    assert isinstance(build_index("auto", ROWS), ExactIndex)
    monkeypatch.setattr(build, "EXACT_SEARCH_MAX_IMAGES", 20)
    assert isinstance(build_index("auto", ROWS), ExactIndex)
    monkeypatch.setattr(build, "EXACT_SEARCH_MAX_IMAGES", 19)
    assert isinstance(build_index("auto", ROWS), ScannIndex)


def test_kind_can_be_chosen():
    assert isinstance(build_index("exact", ROWS), ExactIndex)
    assert isinstance(build_index("scann", ROWS), ScannIndex)
    with pytest.raises(ValueError, match=r"auto, exact or scann. Received: 'x'"):
        build_index("x", ROWS)


def test_folder_that_is_no_index_is_refused(tmp_path):
    with pytest.raises(IndexMismatchError, match="No index at"):
        load_index(tmp_path, "encoder")
    build_index("exact", ROWS).save(tmp_path / "index", "encoder")
    path = tmp_path / "index" / "index.json"
    description = json.loads(path.read_text())
    path.write_text(json.dumps(description | {"kind": "unheard_of"}))
    with pytest.raises(IndexMismatchError, match="unknown kind 'unheard_of'"):
        load_index(tmp_path / "index", "encoder")
    path.write_text(json.dumps(description | {"format_version": 99}))
    with pytest.raises(IndexMismatchError, match="format_version 99"):
        load_index(tmp_path / "index", "encoder")


def test_load_of_another_kind_is_refused(tmp_path):
    build_index("exact", ROWS).save(tmp_path / "index", "encoder")
    with pytest.raises(IndexMismatchError, match="holds an index of kind 'exact'"):
        ScannIndex.load(tmp_path / "index", "encoder")
