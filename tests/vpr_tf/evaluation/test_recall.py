import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpr_tf.evaluation import recall_at
from vpr_tf.evaluation.recall import hits_matrix


def test_recall_of_a_handmade_case():
    predictions = np.array([[3, 1, 0, 2], [0, 1, 2, 3], [2, 3, 0, 1], [1, 0, 3, 2]])
    positives = [np.array([3]), np.array([2, 3]), np.array([], int), np.array([0])]
    # Found at rank 1, 3, never (no positives, still counted), 2.
    recalls = recall_at(predictions, positives, [1, 2, 3, 4])
    assert recalls == {1: 25.0, 2: 50.0, 3: 75.0, 4: 75.0}


def test_missing_predictions_are_never_hits():
    predictions = np.array([[-1, -1], [4, -1]])
    positives = [np.array([-1, 0]), np.array([-1])]
    assert not hits_matrix(predictions, positives).any()
    assert recall_at(predictions, positives, [1, 2]) == {1: 0.0, 2: 0.0}


def test_queries_can_be_left_out():
    predictions = np.array([[0], [1], [2]])
    positives = [np.array([0]), np.array([0]), np.array([0])]
    evaluated = np.array([True, True, False])
    assert recall_at(predictions, positives, [1], evaluated=evaluated) == {1: 50.0}
    nobody = recall_at(predictions, positives, [1], evaluated=np.zeros(3, bool))
    assert math.isnan(nobody[1])


@given(st.data())
def test_recall_equals_counting_by_hand(data):
    num_queries = data.draw(st.integers(1, 6))
    row = st.lists(st.integers(-1, 8), min_size=4, max_size=4)
    predictions = np.array([data.draw(row) for _ in range(num_queries)])
    positives = [
        np.array(sorted(data.draw(st.sets(st.integers(0, 8)))), np.int64)
        for _ in range(num_queries)
    ]
    recalls = recall_at(predictions, positives, [1, 2, 4])
    for n, percent in recalls.items():
        found = sum(
            any(p in right.tolist() for p in first[:n].tolist() if p >= 0)
            for first, right in zip(predictions, positives, strict=True)
        )
        assert percent == pytest.approx(100 * found / num_queries)
    assert recalls[1] <= recalls[2] <= recalls[4]


def test_invalid_arguments_are_named():
    with pytest.raises(
        ValueError, match=r"max\(recall_values\) columns. Received: .*5"
    ):
        recall_at(np.zeros((5, 10), int), [np.array([0])] * 5, (1, 5, 20))
    with pytest.raises(ValueError, match=r"one entry for each query. Received: 1 for"):
        recall_at(np.zeros((5, 10), int), [np.array([0])], (1,))
