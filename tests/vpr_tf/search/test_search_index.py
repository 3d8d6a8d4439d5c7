import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.vpr_tf.search.index_cases import nearest_by_sorting, random_unit_vectors
from vpr_tf.search import ExactIndex, IndexMismatchError, descriptors, nearest_rows


@pytest.fixture
def small_blocks(monkeypatch):
    """Makes several blocks of queries and of rows even of small arrays."""
    monkeypatch.setattr(nearest_rows, "_QUERIES_PER_BLOCK", 3)
    monkeypatch.setattr(nearest_rows, "_SCORES_PER_BLOCK", 20)
    monkeypatch.setattr(nearest_rows, "_VALUES_PER_BLOCK", 48)
    monkeypatch.setattr(descriptors, "_VALUES_PER_BLOCK", 48)


@pytest.mark.parametrize("num_images", [1, 5, 64, 501])
@pytest.mark.parametrize("k", [1, 7, 20])
def test_search_equals_sorting(num_images, k):
    rng = np.random.default_rng(num_images + k)
    database = random_unit_vectors(rng, num_images, 16)
    queries = random_unit_vectors(rng, 9, 16)
    distances, ids = ExactIndex.build(database).search(queries, k)
    expected_distances, expected_ids = nearest_by_sorting(queries, database, k)
    found = min(k, num_images)
    np.testing.assert_array_equal(ids[:, :found], expected_ids)
    np.testing.assert_allclose(distances[:, :found], expected_distances, rtol=1e-6)
    assert (ids[:, found:] == -1).all()
    assert np.isinf(distances[:, found:]).all()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_search_with_ties_and_duplicates_takes_the_lowest_rows(data):
    seed = data.draw(st.integers(0, 2**31))
    num_images, k = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 45))
    rng = np.random.default_rng(seed)
    # Few whole numbers: many equal distances and equal rows.
    database = rng.integers(-1, 2, (num_images, 3)).astype(np.float32)
    queries = rng.integers(-1, 2, (data.draw(st.integers(1, 7)), 3)).astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nearest_rows, "_QUERIES_PER_BLOCK", data.draw(st.integers(1, 8)))
        patch.setattr(nearest_rows, "_SCORES_PER_BLOCK", data.draw(st.integers(1, 99)))
        _, ids = ExactIndex.build(database).search(queries, k)
    _, expected = nearest_by_sorting(queries, database, k)
    np.testing.assert_array_equal(ids[:, : expected.shape[1]], expected)


@pytest.mark.usefixtures("small_blocks")
def test_search_in_many_blocks_finds_identical_rows_in_order():
    rng = np.random.default_rng(0)
    database = np.repeat(random_unit_vectors(rng, 4, 33), 25, axis=0)
    _, ids = ExactIndex.build(database).search(database[[30, 99]], 10)
    np.testing.assert_array_equal(ids, [np.arange(25, 35), np.arange(75, 85)])


def test_search_tells_apart_what_a_float32_product_cannot():
    # Far from the origin the product's rounding exceeds the differences.
    rng = np.random.default_rng(1)
    database = (100 + rng.normal(size=(300, 64)) * 1e-2).astype(np.float32)
    queries = database[:20] + np.float32(1e-4)
    _, ids = ExactIndex.build(database).search(queries, 10)
    np.testing.assert_array_equal(ids, nearest_by_sorting(queries, database, 10)[1])


def test_search_of_a_few_equals_the_official_predictions(official_values):
    expected = official_values["search_predictions"]
    index = ExactIndex.build(official_values["search_database"])
    _, ids = index.search(official_values["search_queries"], expected.shape[1])
    np.testing.assert_array_equal(ids, expected)


def test_search_equals_the_official_predictions(golden_dir):
    golden = np.load(golden_dir / "retrieval_protocol.npz")
    index = ExactIndex.build(golden["database_descriptors"])
    _, ids = index.search(golden["query_descriptors"], 20)
    np.testing.assert_array_equal(ids, golden["predictions"])
    assert index.is_exact


def test_search_without_queries_is_empty():
    index = ExactIndex.build(np.ones((3, 2), np.float32))
    distances, ids = index.search(np.empty((0, 2), np.float32), 5)
    assert distances.shape == ids.shape == (0, 5)


def test_build_keeps_a_memory_mapped_database_on_disk(tmp_path):
    rows = random_unit_vectors(np.random.default_rng(2), 50, 8)
    np.save(tmp_path / "d.npy", rows)
    index = ExactIndex.build(np.load(tmp_path / "d.npy", mmap_mode="r"))
    assert isinstance(index.descriptors, np.memmap)
    np.testing.assert_array_equal(index.search(rows, 1)[1][:, 0], np.arange(50))


def test_invalid_arguments_are_named():
    with pytest.raises(
        ValueError, match=r"`descriptors` must be a float32 or float16 array"
    ):
        ExactIndex.build(np.ones((2, 2)))
    with pytest.raises(ValueError, match="with at least one row"):
        ExactIndex.build(np.empty((0, 4), np.float32))
    rows = np.ones((5, 2), np.float32)
    rows[3, 1] = np.nan
    with pytest.raises(ValueError, match="in 1 rows, the first is 3"):
        ExactIndex.build(rows)
    index = ExactIndex.build(np.ones((5, 2), np.float32))
    with pytest.raises(ValueError, match=r"`k` must be 1 or more. Received: k=0"):
        index.search(rows[:1], 0)
    with pytest.raises(ValueError, match=r"descriptor_dim=2\). Received: shape \(1, 3"):
        index.search(np.ones((1, 3), np.float32), 1)


def test_written_norms_of_another_database_are_refused(tmp_path):
    ExactIndex.build(np.ones((5, 2), np.float32)).write(tmp_path)
    with pytest.raises(IndexMismatchError, match="must hold 6 float32 values"):
        ExactIndex.read(tmp_path, np.ones((6, 2), np.float32), {})


@pytest.mark.parametrize("more", [0, 3, 64])
def test_search_on_a_device_equals_sorting(monkeypatch, more):
    rng = np.random.default_rng(4)
    database = rng.integers(-1, 2, (400, 6)).astype(np.float32)  # with equal rows
    database[100:200] += rng.normal(size=(100, 6)).astype(np.float32)
    queries = database[90:110]
    with_device = []
    best_scores = nearest_rows._best_scores
    monkeypatch.setattr(nearest_rows, "_accelerator", lambda: "/CPU:0")
    monkeypatch.setattr(nearest_rows, "_MORE_ON_DEVICE", more)
    monkeypatch.setattr(nearest_rows, "_VALUES_PER_BLOCK", 6 * 150)
    monkeypatch.setattr(
        nearest_rows,
        "_best_scores",
        lambda *args: with_device.append(args[0]) or best_scores(*args),
    )
    _, ids = ExactIndex.build(database).search(queries, 7)
    np.testing.assert_array_equal(ids, nearest_by_sorting(queries, database, 7)[1])
    assert with_device == ["/CPU:0"] * 3
