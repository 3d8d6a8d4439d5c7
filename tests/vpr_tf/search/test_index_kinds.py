"""What every kind of index must do."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.vpr_tf.search.index_cases import (
    INDEX_CASES,
    clustered_unit_vectors,
    nearest_by_sorting,
    random_unit_vectors,
)

pytest.importorskip("scann")

DATABASE = clustered_unit_vectors(1000)


@pytest.fixture(scope="module", params=INDEX_CASES, ids=str)
def case(request):
    return request.param


@pytest.fixture(scope="module")
def index(case):
    return case.build(DATABASE)


def check_answer(database, queries, k, answer):
    """What holds of every answer, exact or not."""
    distances, ids = answer
    assert distances.shape == ids.shape == (len(queries), k)
    assert distances.dtype == np.float32
    assert ids.dtype == np.int64
    missing = ids == -1
    assert np.isinf(distances[missing]).all()
    assert (missing[:, :-1] <= missing[:, 1:]).all()
    assert ids.max() < len(database)
    for row in ids:
        assert len(set(row[row >= 0])) == (row >= 0).sum()
    difference = queries[:, None].astype(np.float64) - database[ids]
    true = np.where(missing, np.inf, (difference**2).sum(axis=2))
    np.testing.assert_allclose(distances, true, rtol=1e-5, atol=1e-9)
    # Ordered by distance, identical descriptors by the lowest row.
    order = np.lexsort((ids, distances), axis=1)
    assert (order == np.arange(k))[~missing].all()


def test_neighbours_are_found_with_their_distances(case, index):
    answer = index.search(DATABASE, 10)
    check_answer(DATABASE, DATABASE, 10, answer)
    _, expected = nearest_by_sorting(DATABASE, DATABASE, 10)
    assert index.is_exact == case.is_exact
    if case.is_exact:
        np.testing.assert_array_equal(answer[1], expected)
        return
    found = [
        len(set(a) & set(b)) / 10 for a, b in zip(answer[1], expected, strict=True)
    ]
    assert np.mean(found) > 0.9
    assert (answer[1][:, 0] == expected[:, 0]).mean() > 0.97


def test_k_above_the_size_leaves_places_empty(case, index):
    answer = index.search(DATABASE[:7], len(DATABASE) + 30)
    check_answer(DATABASE, DATABASE[:7], len(DATABASE) + 30, answer)
    assert (answer[1][:, len(DATABASE) :] == -1).all()
    if case.is_exact:
        assert (answer[1][:, : len(DATABASE)] >= 0).all()


def test_one_query_gets_the_answer_of_many(index):
    for query in (DATABASE[3:4], DATABASE[3], DATABASE[3].astype(np.float64)):
        for got, expected in zip(
            index.search(query, 5), index.search(DATABASE[:9], 5), strict=True
        ):
            np.testing.assert_array_equal(got, expected[3:4])


@pytest.mark.parametrize("rows", [[], [4], [1, 2, 900], range(0, 1000, 3)])
def test_part_of_the_database_is_searched_exactly(index, rows):
    rows = np.array(rows, np.int64)
    distances, ids = index.search(DATABASE[:9], 6, rows=rows)
    expected_distances, expected = nearest_by_sorting(DATABASE[:9], DATABASE[rows], 6)
    found = expected.shape[1]
    np.testing.assert_array_equal(ids[:, :found], rows[expected])
    np.testing.assert_allclose(distances[:, :found], expected_distances, atol=1e-6)
    assert (ids[:, found:] == -1).all()


def test_written_index_can_be_moved(case, index, tmp_path):
    (tmp_path / "index").mkdir()
    index.write(tmp_path / "index")
    np.save(tmp_path / 'rows "of" 1.npy', DATABASE)
    descriptors = np.load(tmp_path / 'rows "of" 1.npy', mmap_mode="r")
    moved = (tmp_path / "index").rename(tmp_path / "moved")
    files = {path: path.read_bytes() for path in moved.rglob("*") if path.is_file()}
    for path, content in files.items():
        assert path.suffix != ".pkl"
        assert str(tmp_path).encode() not in content
        if not case.holds_descriptors:
            assert DATABASE[0].tobytes() not in content
    loaded = case.read(moved, descriptors, index.settings)
    assert loaded.is_exact == index.is_exact
    assert loaded.settings == index.settings
    for got, expected in zip(
        loaded.search(DATABASE[:50], 5), index.search(DATABASE[:50], 5), strict=True
    ):
        np.testing.assert_array_equal(got, expected)


@settings(max_examples=12, deadline=None)
@given(
    num_images=st.integers(1, 40),
    k=st.integers(1, 45),
    dtype=st.sampled_from([np.float32, np.float16]),
    seed=st.integers(0, 99),
)
def test_small_databases_with_duplicates_and_zeros(case, num_images, k, dtype, seed):
    rng = np.random.default_rng(seed)
    # Few whole numbers: many equal distances, equal rows and zero vectors.
    database = rng.integers(-1, 2, (num_images, 4)).astype(dtype)
    queries = rng.integers(-1, 2, (5, 4)).astype(np.float32)
    answer = case.build(database).search(queries, k)
    check_answer(database, queries, k, answer)
    if case.is_exact:
        _, expected = nearest_by_sorting(queries, database, k)
        np.testing.assert_array_equal(answer[1][:, : expected.shape[1]], expected)


@pytest.mark.parametrize(
    "database",
    [np.ones((300, 8), np.float32), np.zeros((300, 8), np.float32)],
    ids=["ones", "zeros"],
)
def test_all_descriptors_alike(case, database):
    queries = np.stack([database[0], database[0] + 1])
    check_answer(database, queries, 4, case.build(database).search(queries, 4))


def test_descriptors_of_other_lengths_keep_their_order(case):
    rng = np.random.default_rng(1)
    database = random_unit_vectors(rng, 600, 16)
    database *= rng.uniform(0.1, 5, (600, 1)).astype(np.float32)
    queries = database[:60] * np.float32(1.02)
    answer = case.build(database).search(queries, 5)
    check_answer(database, queries, 5, answer)
    _, expected = nearest_by_sorting(queries, database, 1)
    assert (answer[1][:, 0] == expected[:, 0]).mean() > 0.9


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_descriptor_that_is_not_finite_is_named(case, value, dtype):
    database = DATABASE[:60].astype(dtype)
    database[[17, 40], 3] = value
    with pytest.raises(ValueError, match="in 2 rows, the first is 17"):
        case.build(database)


def test_invalid_arguments_are_named(case, index):
    with pytest.raises(ValueError, match="`descriptors` must be a float32 or float16"):
        case.build(np.ones((20, 2)))
    with pytest.raises(ValueError, match=r"unheard_of"):
        type(index).build(DATABASE, {"unheard_of": 1})
    with pytest.raises(ValueError, match=r"`k` must be 1 or more. Received: k=0"):
        index.search(DATABASE[:1], 0)
    with pytest.raises(
        ValueError, match=r"descriptor_dim=32\). Received: shape \(1, 3"
    ):
        index.search(np.ones((1, 3), np.float32), 1)
    with pytest.raises(ValueError, match="in 1 queries, the first is query 1"):
        index.search(np.array([[0.0] * 32, [np.nan] * 32], np.float32), 1)
