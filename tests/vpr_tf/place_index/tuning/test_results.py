import csv
import json

import pytest

from tests.vpr_tf.place_index.tuning.measurements import measurement
from vpr_tf.place_index.tuning.candidates import Candidate
from vpr_tf.place_index.tuning.tuner import TuningResults

CONDITIONS = {"descriptors": "abc"}
CANDIDATE = Candidate("scann", {"num_leaves": 3}, ({"leaves_to_search": 1},))
FOUND = [measurement(100, 0.9), measurement(200, 0.5)]


def test_what_was_measured_is_known_again(tmp_path):
    TuningResults(tmp_path, CONDITIONS).add(CANDIDATE, FOUND)
    again = TuningResults(tmp_path, CONDITIONS)
    assert again.of(CANDIDATE) == FOUND
    assert again.of(Candidate("scann", {"num_leaves": 4}, CANDIDATE.searches)) is None
    assert again.of(Candidate("scann", {"num_leaves": 3})) is None


def test_other_conditions_are_other_results(tmp_path):
    TuningResults(tmp_path, CONDITIONS).add(CANDIDATE, FOUND)
    assert TuningResults(tmp_path, {"descriptors": "abd"}).of(CANDIDATE) is None


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"format_version": 9}', '{"conditions": 3, "candidates": []}'],
)
def test_damaged_results_are_measured_again(tmp_path, text):
    (tmp_path / "results.json").write_text(text)
    found = TuningResults(tmp_path, CONDITIONS)
    assert found.of(CANDIDATE) is None
    found.add(CANDIDATE, FOUND)
    assert TuningResults(tmp_path, CONDITIONS).of(CANDIDATE) == FOUND


def test_results_of_unknown_fields_are_measured_again(tmp_path):
    TuningResults(tmp_path, CONDITIONS).add(CANDIDATE, FOUND)
    path = tmp_path / "results.json"
    path.write_text(path.read_text().replace("p50_ms", "p51_ms"))
    assert TuningResults(tmp_path, CONDITIONS).of(CANDIDATE) is None


def test_files_hold_the_choice_and_a_table(tmp_path):
    found = TuningResults(tmp_path, CONDITIONS)
    found.add(CANDIDATE, FOUND)
    found.add(Candidate("exact"), [measurement(10, 1.0, kind="exact")])
    found.write(FOUND[0])
    written = json.loads((tmp_path / "results.json").read_text())
    assert written["chosen"] == FOUND[0].to_dict()
    with (tmp_path / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["kind"] for row in rows] == ["scann", "scann", "exact"]
    assert rows[0]["recall_10"] == "0.45"
    assert json.loads(rows[0]["settings"]) == {"speed": 100}
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "results.csv",
        "results.json",
    ]
