import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.partition.s2_merging import merge_neighbours, neighbour_pairs
from vpr_tf.geo.s2_cells import edge_neighbours, leaf_cells, parent_cells


def row_of_cells(length: int) -> np.ndarray:
    """Cells side by side from west to east, far from the border of a face."""
    cells = [parent_cells(leaf_cells([1.0], [1.0]), 16)[0]]
    while len(cells) < length:
        cells.append(edge_neighbours(np.array(cells[-1:]))[0, 1])
    return np.array(cells)


@pytest.mark.parametrize(("num_rings", "widest_gap"), [(0, 0), (1, 2), (2, 4)])
def test_cells_over_small_gaps_are_neighbours(num_rings, widest_gap):
    row = row_of_cells(widest_gap + 3)
    for gap, expected in ((widest_gap, [[0, 1]]), (widest_gap + 1, [])):
        cells = np.sort(row[[0, gap + 1]])
        assert neighbour_pairs(cells, num_rings).tolist() == expected


@settings(deadline=None, max_examples=20)
@given(st.sets(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1))
def test_without_growth_neighbours_share_an_edge(places):
    north, east = np.array(sorted(places)).T
    cells = parent_cells(leaf_cells(1 + north * 0.0014, 1 + east * 0.0014), 16)
    cells = np.unique(cells)
    pairs = neighbour_pairs(cells, 0)
    expected = [
        [i, j]
        for i, around in enumerate(edge_neighbours(cells))
        for j, other in enumerate(cells)
        if i < j and other in around
    ]
    assert pairs.tolist() == sorted(expected)
    grown = {tuple(pair) for pair in neighbour_pairs(cells, 1).tolist()}
    assert {tuple(pair) for pair in pairs.tolist()} <= grown


def pieces_of(pairs, labels) -> int:
    """Number of pieces when only pairs of one label hold together."""
    piece = np.arange(len(labels))
    for _ in labels:
        for one, other in pairs:
            if labels[one] == labels[other]:
                piece[[one, other]] = min(piece[one], piece[other])
    return len(np.unique(piece))


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.integers(1, 9), min_size=2, max_size=12),
    st.data(),
    st.integers(0, 3),
)
def test_merged_cells_hold_together(images, data, seed):
    last = len(images) - 1
    pair = st.tuples(st.integers(0, last), st.integers(0, last))
    drawn = data.draw(st.sets(pair.filter(lambda p: p[0] < p[1])))
    pairs = np.array(sorted(drawn), np.int64).reshape(-1, 2)
    num_classes = data.draw(st.integers(1, len(images)))

    def merge():
        rng = np.random.default_rng(seed)
        return merge_neighbours(np.array(images), pairs, num_classes, rng)

    labels = merge()
    num_pieces = pieces_of(pairs, np.zeros(len(images)))
    num_found = len(np.unique(labels))
    assert num_found == max(num_classes, num_pieces)
    assert pieces_of(pairs, labels) == num_found
    # Numbered by first cell.
    _, first = np.unique(labels, return_index=True)
    assert np.all(np.diff(first) > 0)
    assert np.array_equal(labels, merge())


def test_few_images_are_merged_first():
    pairs = np.array([[0, 1], [1, 2], [2, 3], [3, 4]])
    images = np.array([100, 100, 1, 100, 100])
    labels = merge_neighbours(images, pairs, 4, np.random.default_rng(0))
    assert np.count_nonzero(labels == labels[2]) == 2


def test_classes_grow_alike():
    pairs = np.stack([np.arange(199), np.arange(1, 200)], axis=1)
    images = np.ones(200, np.int64)
    labels = merge_neighbours(images, pairs, 20, np.random.default_rng(0))
    assert np.bincount(labels).max() <= 40  # four times the mean
