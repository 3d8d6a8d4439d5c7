import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.vpr_tf.classification.tables import grid_table, places
from tests.vpr_tf.classification.tiny_classifier import random_classifier
from vpr_tf.classification import ClassificationError
from vpr_tf.classification.cell_ranking import ClassifierCells
from vpr_tf.classification.prototype_search import PrototypeSearch
from vpr_tf.search import CellFilteredIndex, CellRows, ExactIndex

POINTS = places(np.random.default_rng(5).uniform(0, 160, (80, 2)))
CELLS = ClassifierCells(random_classifier(grid_table(POINTS)))


def queries(count=5, seed=1):
    return np.random.default_rng(seed).normal(size=(count, 6)).astype(np.float32)


def several_places_a_cell():
    """The same cells, each with three places of its own group."""
    table = grid_table(POINTS)
    rows = np.repeat(np.arange(len(table)), 3)
    members = np.full((len(rows), table.num_groups), -1, np.int32)
    for group, of_group in enumerate(table.members.T):
        own = np.flatnonzero(of_group[rows] >= 0)
        members[own, group] = np.arange(len(own))
    tripled = dataclasses.replace(
        table,
        positions=table.positions.take(rows),
        heading_deg=table.heading_deg[rows],
        members=members,
        cell=table.cell[rows],
    )
    return ClassifierCells(random_classifier(tripled))


@pytest.mark.parametrize("ranking", [CELLS, several_places_a_cell()])
@pytest.mark.parametrize("n", [1, 4, 1000])
def test_best_cells_are_those_of_the_best_places_each_once(ranking, n):
    table = ranking.classifier.table
    competing = np.arange(ranking.num_cells) % 3 > 0
    chosen = ranking.best_cells(queries(), n, competing)
    assert chosen.shape == (5, min(n, competing.sum()))
    for row, scores in zip(chosen, ranking.classifier.scores(queries()), strict=True):
        order = np.argsort(-scores, kind="stable")
        cells = [cell for cell in table.cell[order] if competing[cell]]
        assert row.tolist() == list(dict.fromkeys(cells))[:n]


@pytest.mark.parametrize("ranking", [CELLS, several_places_a_cell()])
@pytest.mark.parametrize("share", [1.0, 0.5, 0.1])
@pytest.mark.parametrize("n", [1, 4, 1000])
def test_searched_prototypes_choose_the_same_cells(ranking, share, n):
    """Also when most of the best places are of cells that do not compete."""
    search = PrototypeSearch.build(ranking.classifier, "exact")
    searched = ClassifierCells(ranking.classifier, search)
    competing = np.random.default_rng(0).random(ranking.num_cells) < share
    np.testing.assert_array_equal(
        searched.best_cells(queries(), n, competing),
        ranking.best_cells(queries(), n, competing),
    )


@given(st.integers(1, 8), st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_narrowed_search_finds_what_lies_in_the_best_cells(num_cells, seed):
    rng = np.random.default_rng(seed)
    photos = places(rng.uniform(-20, 180, (50, 2)))
    descriptors = rng.normal(size=(50, 6)).astype(np.float32)
    asked = queries(3, seed)
    located = CELLS.cells_of(photos)
    cell_rows = CellRows.from_cells(located, CELLS.num_cells)
    exact = ExactIndex.build(descriptors)
    index = CellFilteredIndex(exact, cell_rows, CELLS, num_cells)
    distances, ids = index.search(asked, 60)
    best = CELLS.best_cells(asked, num_cells, cell_rows.is_held)
    for query in range(3):
        rows = np.flatnonzero(np.isin(located, best[query]))
        expected = exact.search(asked[query : query + 1], 60, rows=rows)
        np.testing.assert_array_equal(distances[query], expected[0][0])
        np.testing.assert_array_equal(ids[query], expected[1][0])


def test_a_query_far_from_the_map_finds_photos_of_the_map():
    descriptors = np.eye(6, dtype=np.float32)
    photos = places([[5, 5], [45, 45], [1e5, 1e5], [85, 5], [5, 85], [45, 5]])
    located = CELLS.cells_of(photos)
    assert located[2] == -1
    cell_rows = CellRows.from_cells(located, CELLS.num_cells)
    index = CellFilteredIndex(ExactIndex.build(descriptors), cell_rows, CELLS, 1)
    found = index.search(-descriptors[2:3], 3)[1]
    assert found[0, 0] in np.flatnonzero(located >= 0)
    assert 2 not in found


def test_regressions_have_no_cells():
    with pytest.raises(ClassificationError, match="Received: str"):
        ClassifierCells.from_heads("heads")
