import numpy as np
import pytest

from vpr_tf.place_index.recall import shares_found, without_own
from vpr_tf.place_index.tuning import TuningOptions
from vpr_tf.place_index.tuning.tuner import _sample, exact_neighbours
from vpr_tf.search import RetrievalError

LINE = np.array([[0, 0], [1, 0], [3, 0], [6, 0], [10, 0], [10, 0]], np.float32)


def exact(rows, k):
    rows = np.array(rows)
    return exact_neighbours(LINE, LINE[rows], rows, k)


def shares(rows, found, values):
    return shares_found(LINE, LINE[rows], exact(rows, max(values)), found, values)


def test_stored_photos_are_searched_without_themselves():
    assert exact([0, 3, 4], 2).tolist() == [[1, 2], [2, 4], [5, 3]]


def test_own_row_is_dropped_where_it_was_found():
    rows = without_own(np.array([[0, 1, 2], [2, 5, 4]]), np.array([0, 3]))
    np.testing.assert_array_equal(rows, [[1, 2], [2, 5]])
    others = np.array([[0, 1, -1], [1, -1, -1]])
    rows = without_own(others, np.array([-1, -1]))
    np.testing.assert_array_equal(rows, [[0, 1], [1, -1]])


def test_recall_is_the_share_of_the_true_nearest():
    found = np.array([[1, 3, 2], [5, 2, -1]])  # true: 1, 2, 3 and 2, 4 or 5, 4 or 5
    rows = [0, 3]
    recalls = shares_found(LINE, LINE[rows], exact(rows, 3), found, (1, 2, 3, 9))
    assert recalls[1] == 0.5
    assert recalls[2] == 0.75
    assert recalls[3] == pytest.approx(5 / 6)
    assert recalls[9] == recalls[3]


def test_equally_near_rows_are_equally_right():
    assert shares([4], np.array([[5]]), (1,)) == {1: 1.0}
    nearest = exact_neighbours(LINE, LINE[4:5], np.array([-1]), 1)
    for row in (4, 5):
        found = shares_found(LINE, LINE[4:5], nearest, np.array([[row]]), (1,))
        assert found == {1: 1.0}


def test_sample_follows_the_seed():
    database = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float16)
    queries, rows = _sample(database, TuningOptions(sample=10, seed=1))
    assert len(np.unique(rows)) == 10
    np.testing.assert_array_equal(queries, database[rows])
    assert _sample(database, TuningOptions(sample=10, seed=1))[1].tolist() == list(rows)
    assert _sample(database, TuningOptions(sample=10, seed=2))[1].tolist() != list(rows)
    assert len(_sample(database, TuningOptions())[1]) == 50
    with pytest.raises(RetrievalError, match="at least two of them"):
        _sample(database[:1], TuningOptions())
