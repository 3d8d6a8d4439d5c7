import numpy as np
import pytest

from vpr_tf.evaluation.descriptor_recall import evaluate_descriptors
from vpr_tf.geo import Positions

DATABASE = np.eye(4)
PLACES = [[0, 0], [100, 0], [200, 0], [210, 0]]


def test_recall_of_a_hand_made_city():
    queries = [[1, 0.5, 0, 0], [0, 0.5, 1, 0], [0, 0, 0, 1]]
    # The second is at the 2nd photo it looks like; nothing is near to the third.
    found = evaluate_descriptors(
        DATABASE, PLACES, queries, [[3, 4], [99, 0], [500, 0]], recall_values=(1, 2, 6)
    )
    assert found.recalls == pytest.approx({1: 100 / 3, 2: 200 / 3, 6: 200 / 3})
    assert found.predictions[:, 0].tolist() == [0, 2, 3]
    assert found.predictions.shape == (3, 6)
    assert (found.predictions[:, 4:] == -1).all()
    assert (found.num_queries, found.num_queries_without_positives) == (3, 1)


def test_queries_of_unknown_position_do_not_count():
    queries, places = DATABASE[:2], [[0, 0], [np.nan, 0]]
    found = evaluate_descriptors(DATABASE, PLACES, queries, places, recall_values=[1])
    assert found.recalls == {1: 100}
    assert found.num_queries == 1


def test_one_query_and_positions_of_two_zones():
    database = Positions.from_lat_lon([50.0, 50.0], [5.9999, 6.5])
    query = Positions.from_lat_lon([50.0], [6.0001])
    found = evaluate_descriptors(
        DATABASE[:2], database, DATABASE[0], query, recall_values=[1]
    )
    assert found.recalls == {1: 100}


def test_the_threshold_is_inclusive():
    found = evaluate_descriptors(
        DATABASE, PLACES, DATABASE[:1], [[0, 25]], recall_values=[1]
    )
    assert found.recalls == {1: 100}


@pytest.mark.parametrize(
    "places", [PLACES[:3], np.zeros((4, 3)), Positions.from_lat_lon([50.0], [6.0])]
)
def test_positions_that_do_not_fit(places):
    with pytest.raises(ValueError, match=r"positions of `database`.*\(4, 2\)"):
        evaluate_descriptors(DATABASE, places, DATABASE, PLACES)


def test_degrees_are_said():
    places = [[45.06, 7.68], [45.07, 7.68], [45.08, 7.68], [45.09, 7.68]]
    moved = [[45.0601, 7.68], [45.07, 7.69], [np.nan, np.nan]]
    with pytest.raises(ValueError, match=r'unit="deg" or unit="m"'):
        evaluate_descriptors(DATABASE, places, DATABASE[:3], moved)
    found = evaluate_descriptors(
        DATABASE, places, DATABASE[:3], moved, recall_values=[1], unit="deg"
    )
    assert found.recalls == {1: 50}
    assert found.num_queries == 2
    metres = evaluate_descriptors(
        DATABASE, places, DATABASE[:3], moved, recall_values=[1], unit="m"
    )
    assert metres.recalls == {1: 100}
    with pytest.raises(ValueError, match="`unit` must be"):
        evaluate_descriptors(DATABASE, places, DATABASE, places, unit="feet")
