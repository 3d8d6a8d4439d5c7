import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vpr_tf.localization.calibration import probability
from vpr_tf.localization.curves import (
    CONFIDENCE_CURVES,
    error_curve,
    isotonic_log_odds,
    logistic_log_odds,
)

KINDS = sorted(CONFIDENCE_CURVES)


def confidence_of(kind, scores, right, at, counts=None):
    scores, right = np.array(scores, float), np.array(right, bool)
    counts = np.ones(len(scores)) if counts is None else np.array(counts, float)
    curve = CONFIDENCE_CURVES[kind](scores, right, counts)
    return probability(curve.at(np.array(at, float)))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40, deadline=None)
@given(
    answers=st.lists(
        st.tuples(st.floats(-3, 3, width=16), st.booleans()), min_size=1, max_size=30
    )
)
def test_confidence_rises_with_the_score_and_is_never_certain(kind, answers):
    scores, right = map(list, zip(*answers, strict=True))
    confidence = confidence_of(kind, scores, right, np.linspace(-4, 4, 50))
    assert (np.diff(confidence) >= -1e-12).all()
    assert confidence.min() > 0
    assert confidence.max() < 1


@pytest.mark.parametrize("kind", KINDS)
def test_all_right_and_all_wrong(kind):
    scores = np.linspace(0, 1, 20)
    high = confidence_of(kind, scores, [True] * 20, [0.0, 0.5, 1.0])
    low = confidence_of(kind, scores, [False] * 20, [0.0, 0.5, 1.0])
    np.testing.assert_allclose(high, 21 / 22, atol=0.02)
    np.testing.assert_allclose(low, 1 / 22, atol=0.02)


@pytest.mark.parametrize("kind", KINDS)
def test_perfect_separation(kind):
    scores = np.arange(40.0)
    confidence = confidence_of(kind, scores, scores >= 20, [0, 19, 20, 39])
    assert confidence[0] < 0.06
    assert confidence[1] < 0.5 < confidence[2]
    assert confidence[3] > 0.94


@pytest.mark.parametrize("kind", KINDS)
def test_confidence_is_the_share_of_right_answers(kind):
    rng = np.random.default_rng(0)
    scores = rng.normal(size=4000)
    right = rng.random(4000) < probability(2 * scores + 0.5)
    at = np.array([-1.5, -0.5, 0.0, 0.5, 1.5])
    confidence = confidence_of(kind, scores, right, at)
    np.testing.assert_allclose(confidence, probability(2 * at + 0.5), atol=0.06)


@pytest.mark.parametrize("kind", KINDS)
def test_a_query_that_counts_twice_is_two_queries(kind):
    rng = np.random.default_rng(0)
    scores = rng.normal(size=60)
    right = scores + rng.normal(size=60) > 0
    counts = rng.integers(1, 4, 60)
    at = np.linspace(-2, 2, 9)
    expected = confidence_of(
        kind, np.repeat(scores, counts), np.repeat(right, counts), at
    )
    found = confidence_of(kind, scores, right, at, counts)
    np.testing.assert_allclose(found, expected, atol=0.01)


def test_isotonic_of_a_hand_made_case():
    # With the added answers, the steps are (1 of 3 right) and (3 of 4 right).
    curve = isotonic_log_odds(
        np.array([1.0, 2.0, 3.0, 4.0, 5.0]),
        np.array([False, False, True, True, True]),
        np.ones(5),
    )
    assert curve.at_scores == pytest.approx([4 / 3, 17 / 4])
    np.testing.assert_allclose(probability(np.array(curve.values)), [1 / 3, 3 / 4])


def test_platt_without_relation_to_the_score_is_constant():
    curve = logistic_log_odds(np.array([1.0, 2.0]), np.array([True, False]), np.ones(2))
    np.testing.assert_allclose(probability(np.array(curve.values)), 0.5)


def test_error_is_the_quantile_of_similar_answers():
    rng = np.random.default_rng(1)
    scores = rng.uniform(1, 3, 3000)
    errors_m = 30 / scores * rng.exponential(size=3000)
    curve = error_curve(scores, errors_m, 0.68)
    at = np.array([1.3, 2.0, 2.7])
    expected = 30 / at * -np.log(1 - 0.68)
    np.testing.assert_allclose(curve.at(at), expected, rtol=0.1)
    assert (np.diff(curve.values) <= 0).all()


def test_error_of_few_answers():
    assert error_curve(np.array([0.5]), np.array([7.0]), 0.68).values == [
        pytest.approx(7)
    ]
    curve = error_curve(np.array([3.0, 1.0, 2.0]), np.array([5.0, 9.0, 1.0]), 0.68)
    assert curve.values == [pytest.approx(9)]  # of 4 answers, 3 are 75 %
    curve = error_curve(np.ones(40), np.zeros(40), 0.68)
    assert curve.values == [pytest.approx(0.01)]


def test_expected_error_holds_for_the_next_answer():
    rng = np.random.default_rng(2)
    held = [
        rng.exponential()
        <= error_curve(np.zeros(12), rng.exponential(size=12), 0.68).at(np.zeros(1))[0]
        for _ in range(600)
    ]
    assert np.mean(held) == pytest.approx(9 / 13, abs=0.05)
