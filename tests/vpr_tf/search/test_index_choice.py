import numpy as np
import pytest

from vpr_tf.search import ExactIndex, ScannIndex, build_index, index_choice

ROWS = np.eye(20, dtype=np.float32)


def test_auto_is_exact_up_to_a_size(monkeypatch):
    assert isinstance(build_index("auto", ROWS), ExactIndex)
    monkeypatch.setattr(index_choice, "EXACT_SEARCH_MAX_IMAGES", 20)
    assert isinstance(build_index("auto", ROWS), ExactIndex)
    monkeypatch.setattr(index_choice, "EXACT_SEARCH_MAX_IMAGES", 19)
    assert isinstance(build_index("auto", ROWS), ScannIndex)
    assert isinstance(build_index("auto", ROWS, exact_max_images=20), ExactIndex)


def test_kind_can_be_chosen():
    assert isinstance(build_index("exact", ROWS), ExactIndex)
    assert isinstance(build_index("scann", ROWS), ScannIndex)
    with pytest.raises(ValueError, match=r"auto, exact, scann, milvus. Received: 'x'"):
        build_index("x", ROWS)


def test_auto_is_exact_where_scann_is_not_installed(monkeypatch, caplog):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert index_choice.index_kind("auto", 10, 100) == "exact"
    assert not caplog.records
    assert index_choice.index_kind("auto", 1000, 100) == "exact"
    assert "vpr_tf[scann]" in caplog.text
    assert index_choice.index_kind("scann", 1000) == "scann"
