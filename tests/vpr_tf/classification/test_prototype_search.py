import dataclasses

import numpy as np
import pytest

from tests.vpr_tf.classification.tables import grid_table, places, random_classifier
from tests.vpr_tf.place_index.samples import needs_scann
from vpr_tf.classification import ClassificationError
from vpr_tf.classification.prototype_search import (
    PrototypeSearch,
    is_searchable,
    is_worth_searching,
)
from vpr_tf.search import IndexMismatchError

TABLE = grid_table(places(np.random.default_rng(5).uniform(0, 300, (400, 2))))
KINDS = [("cosine", 0), ("linear", 0), ("linear", 1), ("cosine", 2)]


def queries(count=7):
    return np.random.default_rng(1).normal(size=(count, 6)).astype(np.float32)


def check_like_product(found, expected):
    np.testing.assert_array_equal(found.rows, expected.rows)
    np.testing.assert_allclose(found.scores, expected.scores, atol=2e-4)
    np.testing.assert_array_equal(found.spread_m, expected.spread_m)
    np.testing.assert_array_equal(found.heading_deg, expected.heading_deg)


@pytest.mark.parametrize(("kind", "hidden"), KINDS)
@pytest.mark.parametrize("score", ["cosine", "raw"])
@pytest.mark.parametrize("n", [1, 9, 10_000])
def test_exact_search_answers_as_the_product(kind, hidden, score, n):
    """Prototypes of any length, with biases: the largest product is the nearest."""
    classifier = random_classifier(TABLE, kind=kind, hidden=hidden, score=score)
    search = PrototypeSearch.build(classifier, "exact")
    check_like_product(search.predict(queries(), n), classifier.predict(queries(), n))
    np.testing.assert_array_equal(
        search.best_places(queries(), n), classifier.predict(queries(), n).rows
    )


@needs_scann
@pytest.mark.parametrize("score", ["cosine", "raw"])
def test_scann_finds_the_best_places_and_is_the_same_after_reading(tmp_path, score):
    classifier = random_classifier(TABLE, kind="linear", score=score)
    search = PrototypeSearch.build(classifier)
    found = search.predict(queries(50), 5)
    expected = classifier.predict(queries(50), 5)
    assert (found.rows[:, 0] == expected.rows[:, 0]).mean() > 0.95
    search.write(tmp_path / "search")
    restored = PrototypeSearch.read(tmp_path / "search", classifier)
    check_like_product(restored.predict(queries(50), 5), found)


def test_indexes_of_other_prototypes_are_refused(tmp_path):
    PrototypeSearch.build(random_classifier(TABLE), "exact").write(tmp_path)
    other = random_classifier(TABLE, seed=3)
    with pytest.raises(IndexMismatchError, match="of other descriptors"):
        PrototypeSearch.read(tmp_path, other)


def test_one_group_has_no_spread():
    table = grid_table(places(np.random.default_rng(5).uniform(0, 60, (40, 2))))
    members = np.arange(len(table), dtype=np.int32)[:, None]
    one = dataclasses.replace(table, members=members)
    search = PrototypeSearch.build(random_classifier(one), "exact")
    assert np.isnan(search.predict(queries(), 2).spread_m).all()


def test_probabilities_are_not_searched():
    classifier = random_classifier(TABLE, score="softmax")
    assert not is_searchable(classifier)
    assert not is_worth_searching(classifier)
    with pytest.raises(ClassificationError, match="Received: score='softmax'"):
        PrototypeSearch.build(classifier)


def test_few_prototypes_are_multiplied(monkeypatch):
    classifier = random_classifier(TABLE)
    assert not is_worth_searching(classifier)
    monkeypatch.setattr(
        "vpr_tf.classification.prototype_search.SEARCHED_PROTOTYPE_VALUES", 100
    )
    assert is_worth_searching(classifier)


def test_no_places_are_refused():
    search = PrototypeSearch.build(random_classifier(TABLE), "exact")
    with pytest.raises(ClassificationError, match="Received: n=0"):
        search.predict(queries(), 0)
    with pytest.raises(ClassificationError, match="must have the shape"):
        search.predict(queries()[:, :5], 1)
