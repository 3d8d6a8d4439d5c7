from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.figure import Figure

from benchmarks.cell_similarity import prototype_drawing, prototype_similarities
from benchmarks.predicted_places import (
    MethodPlaces,
    chosen_queries,
    has_spread,
    places_drawing,
    spread_drawing,
)
from vpr_tf.classification import ClassTable, GridCells, GroupHead, PlaceClassifier
from vpr_tf.geo import Positions


def classifier(hidden=()):
    """A street of eight cells of 20 m, every other in the same group.

    The prototypes of a group are at right angles, those of neighbours alike.
    """
    east_m, zone = 500_010 + 20 * np.arange(8), np.full(8, 10)
    positions = Positions.from_utm(east_m, np.full(8, 4_000_010), zone)
    cells = GridCells(20, zone, east_m // 20, np.full(8, 4_000_010 // 20))
    members = np.full((8, 2), -1, np.int32)
    members[::2, 0] = members[1::2, 1] = np.arange(4)
    table = ClassTable(
        positions, np.full(8, -1.0), members, np.arange(8), cells, "own_group"
    )
    kernel = 3 * np.eye(4, dtype=np.float32)
    heads = tuple(GroupHead("cosine", kernel, hidden=hidden) for _ in range(2))
    return PlaceClassifier(table, heads)


def places(label, right):
    points = np.arange(20, dtype=float).reshape(10, 2)
    predicted = np.repeat(points[:4, None], 10, axis=1)
    predicted[0, 5:] = np.nan
    return MethodPlaces(label, points, points[:4], predicted, np.array(right, bool))


def test_prototypes_of_neighbours_are_compared_within_and_between_groups():
    found = prototype_similarities(classifier())
    assert len(found.within) == len(found.between) == 8
    assert found.within == pytest.approx(0)
    # A cell and the one before have the same prototype, and the one behind another.
    assert set(found.between.tolist()) == {0, 1}
    assert (found.within_m, found.between_m) == pytest.approx((40, 20), rel=0.01)
    figure = Figure()
    prototype_drawing("dc", "D&C", found).draw(figure)
    [axes] = figure.axes
    [within, between] = axes.get_legend_handles_labels()[1]
    assert within == "nearest of the same group, 40 m: mean 0.00"
    assert between.startswith("nearest of another group, 20 m: mean ")


def test_prototypes_behind_hidden_layers_are_not_compared():
    hidden = ((np.eye(4, dtype=np.float32), np.zeros(4, np.float32)),)
    assert prototype_similarities(classifier(hidden)) is None


def test_queries_are_chosen_from_easy_to_hard():
    methods = [places("a", [1, 0, 1, 0]), places("b", [1, 0, 0, 0])]
    # Right by two, by one and by none of the methods; of the last two the second.
    assert chosen_queries(methods, 3) == [0, 2, 3]
    assert chosen_queries(methods, 8) == [0, 2, 3]
    assert chosen_queries(methods, 1) == [0]


def test_a_map_shows_the_truth_and_what_was_predicted():
    methods = [places("a", [1, 0, 1, 0]), places("b", [1, 0, 0, 0])]
    figure = Figure(layout="constrained")
    places_drawing(methods, 3).draw(figure)
    assert len(figure.axes) == 6
    first = figure.axes[0]
    assert first.get_title() == "a"
    assert [axes.get_xlabel() for axes in figure.axes[2:4]] == ["right", "wrong"]
    by_name = {line.get_label(): line for line in first.lines}
    assert by_name["taken here"].get_xydata().tolist() == [[0, 0]]
    assert len(by_name["first 10 predictions"].get_xydata()) == 10


@pytest.mark.parametrize(
    ("spread_m", "expected"),
    [(None, False), ([np.nan, np.nan], False), ([5.0, 5.0], False), ([5.0, 9.0], True)],
)
def test_only_groups_that_differ_have_a_spread(spread_m, expected):
    spread_m = None if spread_m is None else np.array(spread_m)
    assert has_spread(SimpleNamespace(spread_m=spread_m)) is expected


def test_spread_is_drawn_of_the_queries_that_have_one():
    result = SimpleNamespace(
        spread_m=np.array([10.0, 30.0, np.nan, 80.0]),
        hits=np.array([[1], [1], [1], [0]], bool),
        num_positives=np.array([1, 1, 1, -1]),
    )
    figure = Figure()
    spread_drawing("dc", "D&C", result).draw(figure)
    [axes] = figure.axes
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["right: median 20 m, 2", "wrong: none"]
