import numpy as np
import pytest

from tests.vpr_tf.place_index.samples import remove
from tests.vpr_tf.place_index.tuning.tiny_index import be_killed, make_index
from vpr_tf.place_index.tuning import trial as trial_module
from vpr_tf.place_index.tuning.candidates import Candidate
from vpr_tf.place_index.tuning.trial import Trial, open_database, run_trial
from vpr_tf.place_index.tuning.tuner import exact_neighbours
from vpr_tf.search import RetrievalError


def trial_of(tmp_path, candidate, generation=None):
    index = make_index(tmp_path / "index")
    manifest, database = open_database(index)
    folder = tmp_path / "work"
    folder.mkdir()
    rows = np.arange(0, 200, 10)
    return Trial(
        index,
        manifest.generation if generation is None else generation,
        candidate,
        database[rows],
        rows,
        exact_neighbours(database, database[rows], rows, 20),
        folder,
        seconds_per_round=0.02,
    )


def test_each_way_to_search_is_measured(tmp_path):
    candidate = Candidate(
        "milvus",
        {"index_type": "IVF_FLAT", "params": {"nlist": 4}},
        ({"nprobe": 1}, {"nprobe": 4}),
        "IVF",
    )
    told = []
    few, every = run_trial(trial_of(tmp_path, candidate), told.append)
    assert [few.name, every.name] == ["milvus IVF nprobe=1", "milvus IVF nprobe=4"]
    assert every.settings["search_params"] == {"nprobe": 4}
    assert every.settings["params"] == {"nlist": 4}
    assert every.recalls == {1: 1.0, 10: 1.0, 20: 1.0}
    assert few.recalls[20] < 1
    for one in (few, every):
        assert not one.is_exact
        assert 0 < one.p50_ms <= one.p95_ms
        assert one.queries_per_s > 0
        assert one.memory_mib > 1
        assert one.size_mib > 0
        assert one.build_s > 0
    assert told[0] == "building"
    assert "recall nprobe=4" in told


def test_errors_of_the_process_are_told(tmp_path):
    candidate = Candidate("milvus", {"index_type": "none"})
    with pytest.raises(RetrievalError, match="`index_type` must be one of"):
        run_trial(trial_of(tmp_path, candidate), lambda text: None)


def test_index_that_changed_meanwhile_is_told(tmp_path):
    trial = trial_of(tmp_path, Candidate("exact"), generation=77)
    with pytest.raises(RetrievalError, match="was changed while it was tuned"):
        run_trial(trial, lambda text: None)


def test_process_that_ends_is_told():
    with pytest.raises(RetrievalError, match="ended with exit code -9, most likely"):
        trial_module.in_process(be_killed, (), lambda text: None)


def test_numbers_are_of_the_photos_that_were_not_removed(tmp_path):
    index = make_index(tmp_path / "index")
    _, whole = open_database(index)
    remove(index, [b"photo003.jpg"])
    _, part = open_database(index)
    kept = np.delete(whole[:], 3, axis=0)
    np.testing.assert_array_equal(part[0 : len(kept)], kept)
