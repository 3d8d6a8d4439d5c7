import numpy as np
import pytest

from vpr_tf.place_index.tuning.queries import Truth, TuningQueries
from vpr_tf.search import RetrievalError

LINE = np.array([[0, 0], [1, 0], [3, 0], [6, 0], [10, 0], [10, 0]], np.float32)


def stored(rows):
    rows = np.array(rows)
    return TuningQueries(LINE[rows], rows, "by hand")


def test_stored_photos_are_searched_without_themselves():
    truth = Truth.of(LINE, stored([0, 3, 4]), 2)
    np.testing.assert_array_equal(truth.distances, [[1, 9], [9, 16], [0, 16]])


def test_answers_leave_out_the_query_where_it_was_found():
    queries = stored([0, 3])
    rows = queries.without_own(np.array([[0, 1, 2], [2, 5, 4]]))
    np.testing.assert_array_equal(rows, [[1, 2], [2, 5]])
    others = TuningQueries.from_descriptors(LINE[:2], "others")
    rows = others.without_own(np.array([[0, 1, -1], [1, -1, -1]]))
    np.testing.assert_array_equal(rows, [[0, 1], [1, -1]])


def test_recall_is_the_share_of_the_true_nearest():
    truth = Truth.of(LINE, stored([0, 3]), 3)  # true: 1, 2, 3 and 2, 4 or 5, 4 or 5
    recalls = truth.recalls(LINE, np.array([[1, 3, 2], [5, 2, -1]]), (1, 2, 3, 9))
    assert recalls[1] == 0.5
    assert recalls[2] == 0.75
    assert recalls[3] == pytest.approx(5 / 6)
    assert recalls[9] == recalls[3]


def test_equally_near_rows_are_equally_right():
    truth = Truth.of(LINE, stored([4]), 1)
    assert truth.recalls(LINE, np.array([[5]]), (1,)) == {1: 1.0}
    truth = Truth.of(LINE, TuningQueries.from_descriptors(LINE[4:5], "x"), 1)
    for row in (4, 5):
        assert truth.recalls(LINE, np.array([[row]]), (1,)) == {1: 1.0}


def test_sample_follows_the_seed():
    rows = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float16)
    first, again = (TuningQueries.from_database(rows, 10, 1) for _ in range(2))
    assert first.fingerprint == again.fingerprint
    assert first.fingerprint != TuningQueries.from_database(rows, 10, 2).fingerprint
    assert len(np.unique(first.own_rows)) == 10
    np.testing.assert_array_equal(first.descriptors, rows[first.own_rows])
    assert len(TuningQueries.from_database(rows, 1000, 1)) == 50
    with pytest.raises(RetrievalError, match="at least two of them"):
        TuningQueries.from_database(rows[:1], 10, 0)


@pytest.mark.parametrize(
    "values",
    [np.ones(4), np.ones((2, 4)), np.ones((0, 3)), np.ones((2, 3), int),
     np.full((2, 3), np.nan)],
)  # fmt: skip
def test_file_that_holds_no_queries_is_refused(tmp_path, values):
    np.save(tmp_path / "q.npy", values)
    with pytest.raises(RetrievalError, match=r"finite descriptors \(num_queries, 3\)"):
        TuningQueries.from_file(tmp_path / "q.npy", 3)


def test_file_that_cannot_be_read_is_refused(tmp_path):
    (tmp_path / "q.npy").write_text("no array")
    for name in ("q.npy", "missing.npy"):
        with pytest.raises(RetrievalError, match="cannot be read"):
            TuningQueries.from_file(tmp_path / name, 3)


def test_file_of_queries_is_read(tmp_path):
    np.save(tmp_path / "q.npy", LINE.astype(np.float64))
    queries = TuningQueries.from_file(tmp_path / "q.npy", 2)
    np.testing.assert_array_equal(queries.descriptors, LINE)
    assert queries.descriptors.dtype == np.float32
    assert (queries.own_rows == -1).all()
    assert queries.origin == "6 of q.npy"
