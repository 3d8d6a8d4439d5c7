import numpy as np
import pytest

from vpr_tf.search import MISSING_ID, distances, squared_distances
from vpr_tf.search.distances import nearest_of

RNG = np.random.default_rng(0)
DATABASE = RNG.normal(size=(40, 5)).astype(np.float32)
QUERIES = RNG.normal(size=(7, 5)).astype(np.float32)
IDS = RNG.integers(0, 40, (7, 6))
IDS[2, 1:4] = IDS[3] = MISSING_ID


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(distances, "_VALUES_PER_BLOCK", 60)
    monkeypatch.setattr(distances, "_DIFFERENCES_PER_STEP", 15)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_squared_distances_are_those_of_differences(dtype):
    database = DATABASE.astype(dtype)
    found = squared_distances(database, QUERIES, IDS)
    difference = QUERIES[:, None].astype(np.float64) - database[IDS]
    expected = np.where(IDS == MISSING_ID, np.inf, (difference**2).sum(axis=2))
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert found.dtype == np.float64


def test_candidates_are_ordered_by_distance_then_row():
    database = np.repeat(DATABASE[:4], 10, axis=0)  # equal rows
    found, rows = nearest_of(database, QUERIES, IDS, 8)
    for query, ids in enumerate(IDS):
        known = ids[ids != MISSING_ID]
        true = squared_distances(database, QUERIES[[query]], known[None])[0]
        order = np.lexsort((known, true))
        assert rows[query].tolist() == [*known[order], *[MISSING_ID] * (8 - len(known))]
        np.testing.assert_allclose(found[query, : len(known)], true[order], rtol=1e-6)
        assert np.isinf(found[query, len(known) :]).all()
    assert squared_distances(database, QUERIES[:0], IDS[:0]).shape == (0, 6)
