import numpy as np
import pytest

from benchmarks.faiss_index import FaissIndex, hnsw_settings, ivfpq_settings
from benchmarks.methods_engines import approximate_engines
from vpr_tf.search import MISSING_ID, ExactIndex

pytest.importorskip("faiss")


@pytest.fixture(scope="module")
def rows():
    rows = np.random.default_rng(0).standard_normal((600, 16)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize("settings", [None, hnsw_settings()])
def test_neighbours_and_distances_are_those_of_exact_search(rows, settings):
    index = FaissIndex.build(rows, settings)
    distances, found = index.search(rows[:20], 3)
    expected, ids = ExactIndex.build(rows).search(rows[:20], 3)
    np.testing.assert_array_equal(found, ids)
    np.testing.assert_allclose(distances, expected, atol=1e-5)
    assert index.is_exact == (settings is None)


def test_more_lists_find_more_and_a_written_index_finds_the_same(rows, tmp_path):
    few = FaissIndex.build(rows, {"factory": "IVF8,PQ8x4np", "search": "nprobe=1"})
    many = FaissIndex.build(rows, {"factory": "IVF8,PQ8x4np", "search": "nprobe=8"})
    truth = ExactIndex.build(rows).search(rows, 10)[1]
    shares = [
        np.mean([len(set(a) & set(b)) for a, b in zip(truth, of, strict=True)])
        for of in (few.search(rows, 10)[1], many.search(rows, 10)[1])
    ]
    assert shares[0] < shares[1]
    few.write(tmp_path)
    again = FaissIndex.read(tmp_path, rows, few.settings)
    np.testing.assert_array_equal(again.search(rows, 5)[1], few.search(rows, 5)[1])


def test_more_lists_of_the_same_index_are_searched_by_another_setting(rows):
    few = FaissIndex.build(rows, {"factory": "IVF8,Flat", "search": "nprobe=1"})
    many = few.with_search("nprobe=8")
    truth = ExactIndex.build(rows).search(rows, 5)[1]
    np.testing.assert_array_equal(many.search(rows, 5)[1], truth)
    assert (few.search(rows, 5)[1] != truth).any()


def test_what_few_lists_lack_is_missing(rows):
    index = FaissIndex.build(rows, {"factory": "IVF8,Flat", "search": "nprobe=1"})
    distances, found = index.search(rows[:5], 600)
    assert (found == MISSING_ID).any()
    assert np.isinf(distances[found == MISSING_ID]).all()


def test_lists_of_ivfpq_suit_the_database():
    assert ivfpq_settings(200_000, 512, 1 / 4) == {
        "factory": "IVF1024,PQ64np",
        "search": "nprobe=256",
    }
    # 39 rows for each centre, and codes that divide the descriptor.
    assert ivfpq_settings(2_000, 100, 1 / 64) == {
        "factory": "IVF32,PQ50np",
        "search": "nprobe=1",
    }


def test_a_small_database_is_searched_exactly_alone(rows):
    assert approximate_engines(rows) == []
    names = [engine.name for engine in approximate_engines(np.zeros((2000, 16), "f"))]
    assert names == ["ScaNN", "HNSW", "IVFPQ, few lists", "IVFPQ, many lists"]
