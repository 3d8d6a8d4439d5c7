import numpy as np

from vpr_tf.report.per_query import (
    hit_rank_column,
    read_per_query,
    write_per_query,
)


def test_cells_are_empty_where_nothing_is_known(tmp_path):
    columns = {
        "key": np.array([b'a, "b".jpg', "ü.jpg".encode()]),
        "latitude_deg": np.array([37.123456789, np.nan]),
        "error_m": np.array([1.005, np.nan]),
        "answered": np.array([True, False]),
        "hit_rank_25m": np.array([3.0, 0.0]),
        "confidence": np.array([0.123456789, 1.0]),
        "search": np.array(["exact", "exact"]),
    }
    write_per_query(columns, tmp_path / "per_query.csv")
    assert read_per_query(tmp_path / "per_query.csv") == {
        "key": ['a, "b".jpg', "ü.jpg"],
        "latitude_deg": ["37.1234568", ""],
        "error_m": ["1.00", ""],
        "answered": ["true", "false"],
        "hit_rank_25m": ["3", "0"],
        "confidence": ["0.123457", "1"],
        "search": ["exact", "exact"],
    }


def test_names_of_thresholds():
    names = [hit_rank_column(threshold_m) for threshold_m in (1.0, 2.5, 100.0)]
    assert names == ["hit_rank_1m", "hit_rank_2.5m", "hit_rank_100m"]
