import numpy as np
import pytest

from vpr_tf.retrieval import ExactIndex, ScannIndex

pytest.importorskip("scann")


@pytest.fixture(scope="module")
def database():
    """Clustered unit vectors, as descriptors of places are."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(60, 32))
    rows = np.repeat(centres, 20, axis=0) + 0.3 * rng.normal(size=(1200, 32))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def quantised(database):
    return ScannIndex.build(database, {"brute_force_below": 16})


@pytest.fixture(scope="module")
def with_tree(database):
    return ScannIndex.build(database, {"brute_force_below": 16, "no_tree_below": 16})


@pytest.mark.parametrize("num_images", [1, 2, 15, 16, 17, 1200])
def test_small_database_is_searched_exactly(database, num_images):
    rows = database[:num_images]
    index = ScannIndex.build(rows)
    assert index.is_exact
    distances, ids = index.search(database[:9], 20)
    expected_distances, expected = ExactIndex.build(rows).search(database[:9], 20)
    np.testing.assert_array_equal(ids, expected)
    np.testing.assert_allclose(distances, expected_distances, atol=2e-6)


def test_quantised_index_finds_most_neighbours(database, quantised):
    distances, ids = quantised.search(database, 10)
    expected_distances, expected = ExactIndex.build(database).search(database, 10)
    found = [len(set(a) & set(b)) / 10 for a, b in zip(ids, expected, strict=True)]
    assert np.mean(found) > 0.95
    np.testing.assert_allclose(distances[:, 0], expected_distances[:, 0], atol=2e-6)
    assert not quantised.is_exact


def test_tree_gives_missing_neighbours_no_row(database, with_tree):
    # A tenth of the leaves holds less than the whole database.
    distances, ids = with_tree.search(database[:50], 1500)
    missing = ids == -1
    assert missing[:, 1200:].all()
    assert missing[:, :1200].any()
    assert np.isinf(distances[missing]).all()
    assert np.isfinite(distances[~missing]).all()
    assert (ids[:, 0] == np.arange(50)).mean() > 0.9
    for row in ids:
        assert len(set(row[row >= 0])) == (row >= 0).sum()


@pytest.mark.parametrize("kind", ["brute_force", "quantised", "with_tree"])
def test_saved_index_can_be_moved_and_holds_no_pickle(
    database, kind, request, tmp_path
):
    if kind == "brute_force":
        index = ScannIndex.build(database)
    else:
        index = request.getfixturevalue(kind)
    (tmp_path / "index").mkdir()
    index.write(tmp_path / "index")
    assert not list(tmp_path.rglob("*.pkl"))
    for path in tmp_path.rglob("*.pbtxt"):
        assert str(tmp_path) not in path.read_text()
    moved = (tmp_path / "index").rename(tmp_path / "moved")
    loaded = ScannIndex.read(moved, database, index.settings)
    assert loaded.is_exact == index.is_exact
    for got, expected in zip(
        loaded.search(database[:8], 5), index.search(database[:8], 5), strict=True
    ):
        np.testing.assert_array_equal(got, expected)


def test_pickle_in_a_folder_is_refused(database, tmp_path):
    ScannIndex.build(database).write(tmp_path)
    (tmp_path / "scann_docids.pkl").write_bytes(b"anything")
    with pytest.raises(ValueError, match="which this program never writes"):
        ScannIndex.read(tmp_path, database, {})


def test_invalid_arguments_are_named(database):
    with pytest.raises(ValueError, match="`brute_force_below` must be 16 or more"):
        ScannIndex.build(database, {"brute_force_below": 4})
    with pytest.raises(ValueError, match="must be finite"):
        ScannIndex.build(np.full((4, 2), np.inf, np.float32))
