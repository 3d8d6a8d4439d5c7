import sys

import numpy as np
import pytest
import s2geometry
from hypothesis import given, settings
from hypothesis import strategies as st

from vpr_tf.geo.s2_cells import (
    NO_CELL,
    cell_corners,
    edge_neighbours,
    first_leaves,
    last_leaves,
    leaf_cells,
    parent_cells,
)

degrees = st.tuples(st.floats(-90, 90), st.floats(-180, 180))


@settings(deadline=None, max_examples=50)
@given(st.lists(degrees, min_size=1, max_size=5), st.integers(0, 30))
def test_ids_are_those_of_the_library(places, level):
    leaves = leaf_cells(*np.array(places).T)
    parents = parent_cells(leaves, level)
    for (latitude, longitude), leaf, parent, first, last in zip(
        places,
        leaves.tolist(),
        parents.tolist(),
        first_leaves(parents).tolist(),
        last_leaves(parents).tolist(),
        strict=True,
    ):
        place = s2geometry.S2LatLng.FromDegrees(latitude, longitude)
        cell = s2geometry.S2CellId(place)
        assert leaf == cell.id()
        cell = cell.parent(level)
        assert parent == cell.id()
        assert (first, last) == (cell.range_min().id(), cell.range_max().id())


def test_positions_without_coordinates_have_no_cell():
    leaves = leaf_cells([np.nan, 1, 1], [0, np.inf, 0])
    assert leaves[:2].tolist() == [NO_CELL, NO_CELL]
    assert leaves[2] != NO_CELL
    assert leaf_cells([], []).dtype == np.uint64


def test_longitude_turns_around():
    assert leaf_cells([10], [190]) == leaf_cells([10], [-170])


def test_neighbours_share_an_edge_and_the_relation_is_mutual():
    cells = parent_cells(leaf_cells([0, 37.7, 89.99], [45, -122.4, 3]), 12)
    neighbours = edge_neighbours(cells)
    assert neighbours.shape == (3, 4)
    for cell, around in zip(cells, neighbours, strict=True):
        assert len({cell, *around}) == 5
        assert np.all(np.any(edge_neighbours(around) == cell, axis=1))


def test_corners_surround_the_place():
    cells = parent_cells(leaf_cells([37.7], [-122.4]), 14)
    corners = cell_corners(cells)
    assert corners.shape == (1, 4, 2)
    assert np.all(corners[0].min(axis=0) < [37.7, -122.4])
    assert np.all(corners[0].max(axis=0) > [37.7, -122.4])
    assert edge_neighbours(cells[:0]).shape == (0, 4)
    assert cell_corners(cells[:0]).shape == (0, 4, 2)


def test_impossible_positions_are_refused():
    with pytest.raises(ValueError, match=r"between -90 and 90. Received: \[91.0\]"):
        leaf_cells([91.0], [0.0])
    with pytest.raises(ValueError, match=r"shapes \(1,\) and \(2,\)"):
        leaf_cells([0.0], [0.0, 1.0])


def test_a_missing_library_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "s2geometry", None)
    with pytest.raises(ImportError, match=r"package s2geometry.*requirements\.txt"):
        leaf_cells([0.0], [0.0])
