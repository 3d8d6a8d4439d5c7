import csv
import json
import math

import numpy as np
import pytest

from vpr_tf.config import Preprocessing
from vpr_tf.evaluation import EvaluationResult, results_table, write_results


def make_result(**changes):
    fields = {
        "name": "night",
        "recalls": {1: 50.0, 5: 200 / 3},
        "num_queries": 2,
        "num_database": 2800,
        "num_queries_without_positives": 1,
        "num_queries_without_position": 0,
        "positive_dist_threshold_m": 25.0,
        "dataset_fingerprint": "0123456789abcdef",
        "predictions": np.array([[3, 1], [0, -1]]),
        "descriptor_distances": np.array([[0.5, 1.0], [0.25, np.inf]], np.float32),
        "distances_m": np.array([[12.3456, 1e5], [np.nan, np.nan]]),
        "hits": np.array([[True, False], [False, False]]),
        "num_positives": np.array([3, -1]),
        "query_keys": np.array([b"q0.jpg", "straße, 1.jpg".encode()]),
        "predicted_keys": np.array([[b"d3.jpg", b"d1.jpg"], [b"=1+1.jpg", b"d9.jpg"]]),
        "is_exact": True,
        "preprocessing": Preprocessing("square", 96),
        "engine": "openvino",
    }
    return EvaluationResult(**(fields | changes))


def test_table_is_aligned_markdown():
    table = results_table([make_result(), make_result(name="a", recalls={1: 5.0})])
    lines = table.splitlines()
    assert len({len(line) for line in lines}) == 1
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    assert cells[0][:6] == [
        "set",
        "R@1",
        "R@5",
        "queries",
        "database",
        "without positives",
    ]
    assert cells[2] == [
        *("night", "50.0", "66.7", "2", "2,800", "1", "25 m", "standard", "exact"),
        *("square 96, float32", "openvino", "0123456789ab"),
    ]
    assert cells[3][1:3] == ["5.0", "-"]


def test_table_shows_queries_without_position_when_there_are_any():
    unknown = make_result(recalls={1: math.nan}, num_queries_without_position=2)
    table = results_table([unknown])
    assert "without position |" in table
    assert "without position |" not in results_table([make_result()])


def test_files_hold_the_numbers_and_the_predictions(tmp_path):
    results = [make_result(), make_result(name="x", recalls={1: math.nan})]
    write_results(results, tmp_path / "report")
    report = tmp_path / "report"
    for result in results:
        table = results_table([result])
        assert (report / result.name / "results.md").read_text() == table + "\n"
    first, second = (
        json.loads((report / result.name / "results.json").read_text())
        for result in results
    )
    assert first["recalls"] == {"1": 50.0, "5": pytest.approx(66.666, abs=0.001)}
    assert first["num_database"] == 2800
    assert second["recalls"] == {"1": None}
    with (report / "night" / "predictions.csv").open(
        newline="", encoding="utf-8"
    ) as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["query", "rank", "database", "similarity", "distance_m", "is_positive"],
        ["q0.jpg", "1", "d3.jpg", "0.750000", "12.35", "true"],
        ["q0.jpg", "2", "d1.jpg", "0.500000", "100000.00", "false"],
        ["straße, 1.jpg", "1", "'=1+1.jpg", "0.875000", "", ""],
    ]
