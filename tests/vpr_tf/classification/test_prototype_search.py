import numpy as np
import pytest

from tests.vpr_tf.classification.tables import grid_table, places
from tests.vpr_tf.classification.tiny_classifier import random_classifier
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


@pytest.mark.parametrize(("kind", "hidden"), KINDS)
@pytest.mark.parametrize("score", ["cosine", "raw"])
@pytest.mark.parametrize("n", [1, 9, 10_000])
def test_exact_search_finds_what_the_product_does(kind, hidden, score, n):
    """Prototypes of any length, with biases: the largest product is the nearest."""
    classifier = random_classifier(TABLE, kind=kind, hidden=hidden, score=score)
    search = PrototypeSearch.build(classifier, "exact")
    np.testing.assert_array_equal(
        search.best_places(queries(), n), classifier.predict(queries(), n).rows
    )


@needs_scann
@pytest.mark.parametrize("score", ["cosine", "raw"])
def test_scann_finds_the_best_places_and_is_the_same_after_reading(tmp_path, score):
    classifier = random_classifier(TABLE, kind="linear", score=score)
    search = PrototypeSearch.build(classifier)
    found = search.best_places(queries(50), 5)
    expected = classifier.predict(queries(50), 5)
    assert (found[:, 0] == expected.rows[:, 0]).mean() > 0.95
    search.write(tmp_path / "search")
    restored = PrototypeSearch.read(tmp_path / "search", classifier)
    np.testing.assert_array_equal(restored.best_places(queries(50), 5), found)


def test_indexes_of_other_prototypes_are_refused(tmp_path):
    PrototypeSearch.build(random_classifier(TABLE), "exact").write(tmp_path)
    other = random_classifier(TABLE, seed=3)
    with pytest.raises(IndexMismatchError, match="of other descriptors"):
        PrototypeSearch.read(tmp_path, other)


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


def test_descriptors_of_another_length_are_refused():
    search = PrototypeSearch.build(random_classifier(TABLE), "exact")
    with pytest.raises(ClassificationError, match="must have the shape"):
        search.best_places(queries()[:, :5], 1)
