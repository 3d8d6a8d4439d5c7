"""Narrowed search against sorting, with a ranking that is made up."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.vpr_tf.search.index_cases import nearest_by_sorting, random_unit_vectors
from vpr_tf.search import (
    CellFilter,
    CellFilteredIndex,
    CellRows,
    ExactIndex,
    cell_search,
)

NUM_CELLS = 6


class LowestFirst:
    """Cells by their number, whatever is asked; or by an offset that queries carry."""

    descriptor_dim = 3
    num_cells = NUM_CELLS

    def __init__(self, rotates=False):
        self._rotates = rotates

    def best_cells(self, descriptors, n, competing):
        held = np.flatnonzero(competing)
        by = np.rint(descriptors[:, 0]).astype(int) if self._rotates else [0]
        by = np.broadcast_to(by, len(descriptors))
        best = [np.roll(held, -int(shift))[:n] for shift in by]
        return np.array(best, np.int64).reshape(-1, n)


def index_of(descriptors, cells, num_cells, ranking=None):
    cell_rows = CellRows.from_cells(np.array(cells, np.int64), NUM_CELLS)
    ranking = ranking or LowestFirst()
    exact = ExactIndex.build(descriptors)
    return CellFilteredIndex(exact, cell_rows, ranking, num_cells), exact


@st.composite
def databases(draw):
    """Few different descriptors, so that distances tie; rows outside of all cells."""
    values = st.sampled_from([-1.0, -0.5, 0.25, 1.0])
    row = st.tuples(values, values, values)
    descriptors = draw(st.lists(row, min_size=1, max_size=40))
    cell = st.integers(-1, NUM_CELLS - 1)
    cells = draw(st.lists(cell, min_size=len(descriptors), max_size=len(descriptors)))
    queries = draw(st.lists(row, min_size=1, max_size=9))
    return [np.array(rows, np.float32) for rows in (descriptors, queries)], cells


@given(databases(), st.integers(1, 50), st.sampled_from([None, NUM_CELLS, 100]))
def test_all_cells_are_the_plain_search_to_the_last_row(database, k, num_cells):
    (descriptors, queries), cells = database
    narrowed, exact = index_of(descriptors, cells, num_cells)
    assert narrowed.is_exact
    for found, expected in zip(
        narrowed.search(queries, k), exact.search(queries, k), strict=True
    ):
        np.testing.assert_array_equal(found, expected)


@settings(deadline=None)
@given(
    databases(),
    st.integers(1, 50),
    st.integers(1, NUM_CELLS - 1),
    st.sampled_from([0.0, 1e9]),
    st.sampled_from([1, 7, 1 << 22]),
)
def test_best_cells_are_searched_exactly(database, k, num_cells, sharing, memory):
    """Cell by cell or query by query, in blocks of any size: never another answer."""
    (descriptors, queries), cells = database
    narrowed, exact = index_of(descriptors, cells, num_cells)
    best = sorted(set(cells) - {-1})[:num_cells]
    if len(best) == len(set(cells) - {-1}):
        rows = np.arange(len(cells))
    else:
        rows = np.flatnonzero(np.isin(cells, best))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cell_search, "_QUERIES_PER_SHARED_CELL", sharing)
        patch.setattr(cell_search, "_VALUES_PER_BLOCK", memory)
        patch.setattr(cell_search, "_SCORES_PER_CHUNK", memory)
        found = narrowed.search(queries, k)
    for of_cells, of_rows in zip(
        found, exact.search(queries, k, rows=rows), strict=True
    ):
        np.testing.assert_array_equal(of_cells, of_rows)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("sharing", [0.0, 1e9])
def test_queries_with_cells_of_their_own_match_sorting(monkeypatch, dtype, sharing):
    monkeypatch.setattr(cell_search, "_QUERIES_PER_SHARED_CELL", sharing)
    rng = np.random.default_rng(0)
    descriptors = random_unit_vectors(rng, 300, 3).astype(dtype)
    cells = rng.integers(-1, NUM_CELLS, 300)
    shifts = rng.integers(NUM_CELLS, size=20)
    queries = random_unit_vectors(rng, 20, 3)
    ranked = np.zeros((20, 3), np.float32)
    ranked[:, 0] = shifts
    narrowed, _ = index_of(descriptors, cells, 2, LowestFirst(rotates=True))
    assert not narrowed.is_exact
    distances, ids = narrowed.search(queries, 4, ranked)
    for query, shift in enumerate(shifts):
        rows = np.flatnonzero(np.isin(cells, (shift + np.arange(2)) % NUM_CELLS))
        expected, found = nearest_by_sorting(
            queries[query : query + 1], descriptors[rows].astype(np.float32), 4
        )
        assert ids[query].tolist() == rows[found[0]].tolist()
        np.testing.assert_allclose(distances[query], expected[0], rtol=1e-6)


def test_one_cell_is_all_that_is_found():
    descriptors = np.eye(3, dtype=np.float32)[[0, 1, 2, 0, 1]]
    narrowed, _ = index_of(descriptors, [4, 2, 4, 2, -1], 1)
    distances, ids = narrowed.search(descriptors[:1], 4)
    assert ids.tolist() == [[3, 1, -1, -1]]
    assert distances[0].tolist() == [0, 2, np.inf, np.inf]


def test_rows_that_are_chosen_compete_by_their_own_cells():
    """What lies in a circle is found, though its cells are not the best of the map."""
    descriptors = np.eye(3, dtype=np.float32)[[0, 1, 2, 0, 1]]
    cells = np.array([0, 1, 2, 3, -1])
    part = CellRows.from_cells(cells, NUM_CELLS).part(np.array([2, 3, 4]))
    best = CellFilter(LowestFirst(), 1)
    assert best.search(descriptors, descriptors[:1], 2, part)[1].tolist() == [[2, -1]]
    assert not best.covers(part)
    assert CellFilter(LowestFirst(), 2).covers(part)


def test_database_outside_of_all_cells_is_searched_as_a_whole():
    descriptors = random_unit_vectors(np.random.default_rng(0), 5, 3)
    narrowed, exact = index_of(descriptors, [-1] * 5, 1)
    assert narrowed.is_exact
    np.testing.assert_array_equal(
        narrowed.search(descriptors, 2)[1], exact.search(descriptors, 2)[1]
    )


def test_no_queries_and_no_rows():
    descriptors = random_unit_vectors(np.random.default_rng(0), 5, 3)
    narrowed, _ = index_of(descriptors, [0, 1, 2, 3, 4], 2)
    assert narrowed.search(np.empty((0, 3)), 2)[1].shape == (0, 2)
    none = CellRows.from_cells(np.full(5, -1), NUM_CELLS)
    found = CellFilter(LowestFirst(), 2).search(descriptors, descriptors, 2, none)[1]
    assert (found == -1).all()


@example(0)
@given(st.integers(-5, 0))
def test_no_cells_is_refused(num_cells):
    with pytest.raises(ValueError, match=f"1 or more.*Received: {num_cells}"):
        index_of(np.eye(3, dtype=np.float32), [0, 1, 2], num_cells)


@pytest.mark.parametrize("ranked", [None, np.ones((2, 3), np.float32)])
def test_descriptors_of_another_classifier_are_refused(ranked):
    narrowed, _ = index_of(np.eye(4, dtype=np.float32), [0, 1, 2, 3], 1)
    with pytest.raises(ValueError, match=r"must be ranked by .*\(1, 3\)\. Received: "):
        narrowed.search(np.ones((1, 4)), 1, ranked)
