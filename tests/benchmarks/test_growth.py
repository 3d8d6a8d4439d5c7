import dataclasses

import numpy as np
import pytest
from matplotlib.figure import Figure

from benchmarks.grown_city import City, grown_city
from benchmarks.growth_figure import growth_figure, write_growth
from benchmarks.growth_measure import Point
from vpr_tf.classification import ClassTable, GridCells, GroupHead, PlaceClassifier
from vpr_tf.geo import Positions


@pytest.fixture(scope="module")
def city():
    """Eight cells of 20 m in two groups, a photo in each, at its prototype."""
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((8, 16)).astype(np.float32) + 1
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    east_m, zone = 500_010 + 20 * np.arange(8), np.full(8, 10)
    positions = Positions.from_utm(east_m, np.full(8, 4_000_010), zone)
    cells = GridCells(20, zone, east_m // 20, np.full(8, 4_000_010 // 20))
    members = np.full((8, 2), -1, np.int32)
    members[::2, 0] = members[1::2, 1] = np.arange(4)
    table = ClassTable(
        positions, np.full(8, -1.0), members, np.arange(8), cells, "own_group"
    )
    heads = tuple(GroupHead("cosine", rows[group::2].T) for group in (0, 1))
    return City(rows, positions, PlaceClassifier(table, heads))


def test_districts_are_as_hard_as_the_first_and_elsewhere(city):
    grown = grown_city(city, 3, seed=1)
    assert len(grown.database) == len(grown.positions) == 24
    np.testing.assert_array_equal(grown.database[:8], city.database)
    for start in (8, 16):
        copy = grown.database[start : start + 8]
        np.testing.assert_allclose(
            copy @ copy.T, city.database @ city.database.T, atol=1e-5
        )
        np.testing.assert_allclose(
            copy.T @ copy, city.database.T @ city.database, atol=1e-5
        )
    north_m = grown.positions.utm_north_cm.reshape(3, 8) / 100
    assert (np.diff(north_m, axis=0) == 20_000).all()


def test_heads_know_the_photos_of_all_districts(city):
    grown = grown_city(city, 3, seed=1)
    found = grown.classifier.predict(grown.database, 1).rows[:, 0]
    table = grown.classifier.table
    np.testing.assert_array_equal(
        table.cell[found], table.cells.locate(grown.positions)
    )
    assert table.num_cells == 24


def test_one_district_is_the_city(city):
    np.testing.assert_array_equal(grown_city(city, 1).database, city.database)


def test_hidden_layers_are_refused(city):
    hidden = ((np.eye(16, dtype=np.float32), np.zeros(16, np.float32)),)
    heads = tuple(
        dataclasses.replace(head, hidden=hidden) for head in city.classifier.heads
    )
    other = dataclasses.replace(city.classifier, heads=heads)
    with pytest.raises(ValueError, match="without hidden layers"):
        grown_city(dataclasses.replace(city, classifier=other), 2)


def test_figure_has_a_line_for_each_engine_over_the_sizes(tmp_path):
    points = [
        Point(engine, size, 9, recall, ms * size)
        for engine, recall, ms in (("exact", 70.0, 1e-3), ("HNSW", 60.0, 1e-5))
        for size in (100, 1000)
    ]
    figure = Figure()
    growth_figure(points).draw(figure)
    times, recalls = figure.axes
    assert times.lines[0].get_xydata().tolist() == [[100, 0.1], [1000, 1.0]]
    assert recalls.lines[-1].get_xydata().tolist() == [[100, 60], [1000, 60]]
    text = write_growth(tmp_path, points, {"set": "test"})
    assert "|  1,000 |     9 | HNSW   | 60.0 | 0.01 |" in text
    assert (tmp_path / "growth.png").stat().st_size > 1000
