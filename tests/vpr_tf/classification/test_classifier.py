import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.vpr_tf.classification.tables import grid_table, places
from tests.vpr_tf.classification.tiny_classifier import random_classifier
from vpr_tf.classification import (
    ClassificationError,
    ClassTable,
    GroupHead,
    PlaceClassifier,
)
from vpr_tf.classification.classifier import best_columns

CORNERS = places(np.random.default_rng(5).uniform(0, 160, (80, 2)))


def queries(count=9, dim=6, seed=1):
    return np.random.default_rng(seed).normal(size=(count, dim)).astype(np.float32)


def softmax(x):
    powers = np.exp(x - x.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("kind", ["cosine", "linear"])
@pytest.mark.parametrize("score", ["raw", "cosine", "softmax"])
def test_scores_follow_their_definitions(kind, score):
    classifier = random_classifier(grid_table(CORNERS), kind=kind, score=score)
    x = queries()

    scores = classifier.scores(x)

    for group, head in enumerate(classifier.heads):
        product = x.astype(float) @ head.kernel
        lengths = np.linalg.norm(x, axis=1)[:, None] * np.linalg.norm(
            head.kernel, axis=0
        )
        bias = 0 if head.bias is None else head.bias
        logits = head.scale * product / lengths if kind == "cosine" else product + bias
        expected = {
            "raw": product + bias,
            "cosine": product / lengths,
            "softmax": softmax(logits),
        }[score]
        rows = classifier.table.places_of_groups[group]
        np.testing.assert_allclose(scores[:, rows], expected, rtol=2e-5, atol=1e-6)


def test_hidden_layers_are_applied_with_silu():
    classifier = random_classifier(grid_table(CORNERS), hidden=2, kind="linear")
    head, x = classifier.heads[0], queries().astype(float)

    expected = x
    for kernel, bias in head.hidden:
        z = expected @ kernel + bias
        expected = z / (1 + np.exp(-z))

    np.testing.assert_allclose(head.embedded(queries()), expected, rtol=1e-4, atol=1e-5)
    assert classifier.descriptor_dim == 6


def test_the_score_of_an_intersection_is_the_product_of_probabilities():
    table = grid_table(CORNERS, cell_stride=1)
    count = len(table)
    members = np.stack([np.arange(count), np.arange(count)[::-1]], axis=1)
    both = dataclasses.replace(
        table, members=members.astype(np.int32), combine="product"
    )
    head = random_classifier(table, kind="linear").heads[0]
    other = random_classifier(table, kind="linear", seed=4).heads[0]
    x = queries()

    scores = PlaceClassifier(both, (head, other), "raw").scores(x)

    expected = softmax(x @ head.kernel + head.bias)
    expected = expected * softmax(x @ other.kernel + other.bias)[:, ::-1]
    np.testing.assert_allclose(scores, expected, rtol=1e-4)


def test_a_mixture_scores_the_density_at_its_components():
    table = grid_table(CORNERS, cell_stride=1)
    head = random_classifier(table, kind="linear").heads[0]
    density = np.random.default_rng(0).random((len(table),) * 2).astype(np.float32)
    mixture = GroupHead("mixture", head.kernel, head.bias, density=density)
    x = queries()

    scores = PlaceClassifier(table, (mixture,)).scores(x)

    expected = softmax(x @ head.kernel + head.bias) @ density
    np.testing.assert_allclose(scores, expected, rtol=1e-4)


@given(
    st.lists(st.lists(st.integers(0, 4), min_size=6, max_size=6), max_size=5),
    st.integers(1, 8),
)
@settings(max_examples=50)
def test_best_columns_are_those_of_a_stable_sort(values, n):
    scores = np.array(values, np.float32).reshape(-1, 6)

    columns, best = best_columns(scores, n)

    expected = np.argsort(-scores, axis=1, kind="stable")[:, :n]
    np.testing.assert_array_equal(columns, expected)
    np.testing.assert_array_equal(best, np.take_along_axis(scores, expected, axis=1))


def test_predictions_are_the_best_places_of_all_groups():
    classifier = random_classifier(grid_table(CORNERS))
    x = queries()

    predictions = classifier.predict(x, 5)

    scores = classifier.scores(x)
    expected = np.argsort(-scores, axis=1, kind="stable")[:, :5]
    np.testing.assert_array_equal(predictions.rows, expected)
    assert (np.diff(predictions.scores, axis=1) <= 0).all()
    assert (predictions.heading_deg == -1).all()


def test_fewer_places_than_asked_for_leave_the_rest_missing():
    classifier = random_classifier(grid_table(places([[1, 1], [50, 1]])))

    predictions = classifier.predict(queries(3), 4)

    assert (predictions.rows[:, 2:] == -1).all()
    assert np.isneginf(predictions.scores[:, 2:]).all()


def test_blocks_give_what_one_product_gives(monkeypatch):
    classifier, x = random_classifier(grid_table(CORNERS)), queries(20)
    whole = classifier.predict(x, 3)
    monkeypatch.setattr("vpr_tf.classification.classifier._SCORES_PER_BLOCK", 1)
    parts = classifier.predict(x, 3)
    np.testing.assert_array_equal(parts.rows, whole.rows)
    np.testing.assert_array_equal(parts.spread_m, whole.spread_m)


def test_spread_is_zero_when_the_groups_agree():
    """Groups agree when their best cells have the same place."""
    table = grid_table(CORNERS)
    first = table.places_of_groups[0][0]
    same = table.positions.take(np.full(len(table), first))
    agreeing = dataclasses.replace(table, positions=same)

    spread = random_classifier(agreeing).predict(queries(), 1).spread_m

    assert spread.tolist() == [0.0] * 9


def test_spread_is_the_deviation_of_the_groups_best_places():
    table = grid_table(places([[10, 10], [30, 10], [10, 30], [30, 30]]))
    assert table.num_groups == 4

    spread = random_classifier(table).predict(queries(), 1).spread_m

    # Four corners of a square of 20 m are 14.14 m from its middle; UTM shrinks it.
    np.testing.assert_allclose(spread, np.hypot(10, 10), rtol=1e-3)


def test_one_group_has_no_spread():
    table = grid_table(CORNERS, cell_stride=1)
    assert np.isnan(random_classifier(table).predict(queries(), 1).spread_m).all()


def test_wrong_arguments_are_refused():
    table: ClassTable = grid_table(CORNERS)
    classifier = random_classifier(table)
    with pytest.raises(ClassificationError, match=r"\(num_queries, 6\).*\(2, 5\)"):
        classifier.scores(queries(2, 5))
    with pytest.raises(ClassificationError, match="`n` must be 1 or more"):
        classifier.predict(queries(), 0)
    with pytest.raises(ClassificationError, match=r"classification\.score.*'dot'"):
        classifier.with_score("dot")
    with pytest.raises(ClassificationError, match="must fit the heads"):
        PlaceClassifier(table, classifier.heads[:2])
    with pytest.raises(ClassificationError, match="kind of a head"):
        GroupHead("conv", np.zeros((2, 2), np.float32))


def test_what_ranks_the_places_is_named():
    table = grid_table(CORNERS)
    mixture = random_classifier(table, kind="mixture")
    assert (mixture.ranked_by, mixture.has_probabilities) == ("density", True)
    cosine = random_classifier(table)
    assert (cosine.ranked_by, cosine.has_probabilities) == ("cosine", False)
    product = random_classifier(dataclasses.replace(table, combine="product"))
    assert (product.ranked_by, product.has_probabilities) == ("softmax", True)
