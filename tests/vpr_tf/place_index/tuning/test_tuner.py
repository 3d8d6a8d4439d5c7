import json
from dataclasses import replace

import pytest

from tests.command_line import on_index
from tests.vpr_tf.place_index.samples import manifest_of, remove
from tests.vpr_tf.place_index.tuning.measurements import measurement
from tests.vpr_tf.place_index.tuning.tiny_index import make_index
from vpr_tf.place_index import PlaceIndex
from vpr_tf.place_index.tuning import TuningOptions, tuner
from vpr_tf.place_index.tuning.candidates import Candidate
from vpr_tf.search import RetrievalError

FLAT = {"index_type": "FLAT"}
EXACT = measurement(10, 1.0, kind="exact", settings={}, label="", is_exact=True)
GOOD = measurement(100, 0.99, kind="milvus", settings=FLAT, label="good")
FAST = measurement(200, 0.98, kind="milvus", settings={"no": 1}, label="fast")
CANDIDATES = [Candidate("exact"), Candidate("milvus", FLAT, label="all")]


class Measured:
    """Stands for the processes that measure."""

    def __init__(self):
        self.found = {"exact": [EXACT], "milvus all": [GOOD, FAST]}
        self.names = []

    def __call__(self, trial, progress):
        self.names.append(trial.candidate.name)
        assert list(trial.folder.iterdir()) == []
        (trial.folder / "large").write_text("file")
        found = self.found[trial.candidate.name]
        if isinstance(found, BaseException):
            raise found
        return found


@pytest.fixture
def measured(monkeypatch):
    measured = Measured()
    monkeypatch.setattr(tuner, "run_trial", measured)
    monkeypatch.setattr(tuner, "candidates_of", lambda *_: CANDIDATES)
    monkeypatch.setattr(
        tuner, "draw_tuning", lambda *arguments, **_: arguments[2].touch()
    )
    return measured


@pytest.fixture
def index(tmp_path):
    return make_index(tmp_path / "index")


def tuned(index, **options):
    told = []
    return PlaceIndex(index).tune(sample=30, progress=told.append, **options), told


def test_fastest_good_setting_is_written_into_the_index(index, measured):
    report, _ = tuned(index)
    assert report.chosen == GOOD
    assert report.changed
    assert sorted(path.name for path in report.folder.iterdir()) == [
        "pareto.png",
        "results.csv",
        "results.json",
    ]
    manifest = manifest_of(index)
    assert manifest.kind == "milvus"
    assert manifest.segments[0].settings["index_type"] == "FLAT"
    with PlaceIndex.open(index) as opened:
        found = opened.search(opened.state().descriptors[5:6], 1)
    assert found.rows.tolist() == [[5]]
    written = json.loads((report.folder / "results.json").read_text())
    assert written["chosen"]["label"] == "good"
    # What was measured holds for the changed index: its photos are the same.
    tuned(index)
    assert measured.names == ["exact", "milvus all"]


def test_exact_search_stays_where_nothing_finds_enough(index, measured):
    report, _ = tuned(index, min_recall=0.995)
    assert report.chosen == EXACT
    assert not report.changed
    assert manifest_of(index).generation == 1


def test_dry_run_leaves_the_index(index, measured):
    before = (index / "manifest.json").read_bytes()
    report, _ = tuned(index, dry_run=True)
    assert report.chosen == GOOD
    assert not report.changed
    assert (index / "manifest.json").read_bytes() == before


def test_interrupted_tuning_continues(index, measured):
    before = (index / "manifest.json").read_bytes()
    measured.found["milvus all"] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        tuned(index)
    assert (index / "manifest.json").read_bytes() == before
    assert not (index / "tuning" / "unfinished").exists()
    measured.found["milvus all"] = [GOOD]
    report, told = tuned(index)
    assert measured.names == ["exact", "milvus all", "milvus all"]
    assert "[1/2] exact: measured before" in told
    assert report.chosen == GOOD


def test_what_cannot_be_measured_is_left_out(index, measured):
    measured.found["milvus all"] = RetrievalError("no memory")
    report, told = tuned(index)
    assert report.failed == {"milvus all": "no memory"}
    assert "[2/2] milvus all: left out: no memory" in told
    assert report.chosen == EXACT


def test_time_may_end_after_exact_search(index, measured):
    report, told = tuned(index, budget_s=0)
    assert measured.names == ["exact"]
    assert report.skipped == ["milvus all"]
    assert "not measured any more: milvus all" in told[-1]
    report, _ = tuned(index)
    assert report.skipped == []
    assert report.chosen == GOOD


def test_added_photos_are_measured_anew(index, measured):

    tuned(index, dry_run=True)
    remove(index, [b"photo003.jpg"])
    tuned(index, dry_run=True)
    assert measured.names == ["exact", "milvus all"] * 2


def test_best_among_equals_is_by_the_asked_recall(index, measured):
    top_20 = replace(FAST, recalls={1: 0.5, 10: 0.5, 20: 1.0})
    measured.found["milvus all"] = [GOOD, top_20]
    report, _ = tuned(index, recall_at=20, dry_run=True)
    assert report.chosen == top_20


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_recall": 0}, "`min_recall` must be above 0 and at most 1"),
        ({"min_recall": 1.1}, "Received: 1.1"),
        ({"recall_at": 5}, r"`recall_at` must be one of \(1, 10, 20\)"),
        ({"kinds": ("faiss",)}, "must be of exact, scann, milvus. Received: faiss"),
    ],
)
def test_options_that_cannot_be_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        TuningOptions(**options)


def test_command_prints_a_table(index, measured, capsys, tmp_path):
    output = tmp_path / "results"
    arguments = ["tune", index, "--kinds", "milvus", "--sample", "25"]
    assert on_index(*arguments, "--output", output, "--dry-run") == 0
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert lines[0].split()[:2] == ["setting", "recall@1"]
    assert [line.split()[0] for line in lines[1:4]] == ["milvus", "*", "exact"]
    assert "0.9900" in lines[2]
    assert "Fastest that finds 99.0% of the true nearest: milvus good." in out
    assert "The index was not changed." in out
    assert not (index / "tuning").exists()
    assert on_index(*arguments, "--min-recall", "0.999") == 0
    assert "exact search is kept" in capsys.readouterr().out
    assert on_index("tune", index, "--min-recall", "2") == 2
    assert "--min-recall: must be 0 to 1" in capsys.readouterr().err
    assert on_index("tune", tmp_path / "missing") == 2


def test_command_takes_queries_of_a_file(index, measured, tmp_path, capsys):
    import numpy as np

    np.save(tmp_path / "queries.npy", np.ones((4, 8), np.float32))
    arguments = ["tune", index, "--queries", tmp_path / "queries.npy"]
    assert on_index(*arguments, "--dry-run") == 0
    written = json.loads((index / "tuning" / "results.json").read_text())
    assert written["conditions"]["origin_of_queries"] == "4 of queries.npy"
    np.save(tmp_path / "queries.npy", np.ones((4, 9), np.float32))
    assert on_index(*arguments, "--dry-run") == 2
    assert "descriptor_dim=8" in capsys.readouterr().err
    np.save(tmp_path / "queries.npy", np.ones((0, 8), np.float32))
    assert on_index(*arguments, "--dry-run") == 2
    assert "must not be empty" in capsys.readouterr().err
    (tmp_path / "queries.npy").write_text("no array")
    assert on_index(*arguments, "--dry-run") == 2
    assert "cannot be read" in capsys.readouterr().err
