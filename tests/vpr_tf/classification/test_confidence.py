"""Confidence of the cells that heads predict."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.vpr_tf.classification.tiny_classifier import (
    knowing_classifier,
    positions_at,
    random_classifier,
    shared_table,
    street_table,
)
from vpr_tf.classification import calibrate_predictor
from vpr_tf.classification.groups import best_of_groups, spread_m
from vpr_tf.classification.unseen_places import predict_outside
from vpr_tf.config import LocalizationConfig
from vpr_tf.localization import (
    Calibration,
    Candidates,
    CellSettings,
    FittedOn,
    LocalizationError,
    calibrated_settings,
    estimate_positions,
)
from vpr_tf.localization.features import cell_features

SETTINGS = CellSettings("cosine", 20, log_scores=False)
CONFIG = LocalizationConfig()


def calibrate(classifier, descriptors, truth, config=CONFIG):
    return calibrate_predictor(
        classifier,
        descriptors,
        truth,
        config,
        FittedOn("val", 25.0, "e"),
    )


@pytest.fixture(scope="module")
def town():
    """Heads, photos of their places, and the calibration on others."""
    classifier, photos = knowing_classifier(street_table(120, apart=3))
    descriptors, truth, _ = photos(1200, 1)
    return classifier, photos, calibrate(classifier, descriptors, truth)


def predictions_of(east_m, scores, spread=np.nan):
    """One query's places, metres along a street."""
    rows = np.where(np.isfinite(east_m), np.arange(len(east_m)), -1)[None]
    return Candidates.from_cells(
        positions_at(np.nan_to_num(east_m)),
        rows,
        np.array([scores], np.float32),
        spread_m=np.array([spread]),
    )


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 29), st.integers(2, 6))
def test_groups_that_agree_have_no_spread_and_full_agreement(place, num_groups):
    table = street_table(30, 1)
    spread = spread_m(table.points, np.full((1, num_groups), place))
    assert spread[0] == 0
    features = cell_features(predictions_of([0.0, 50.0], [0.9, 0.1], 0.0), SETTINGS)
    assert features[0, 0] == 0


@settings(max_examples=50, deadline=None)
@given(st.floats(0, 1e5), st.floats(0, 1e5))
def test_agreement_falls_with_the_spread(one, other):
    found = [
        cell_features(predictions_of([0.0], [0.5], spread), SETTINGS)[0, 0]
        for spread in sorted((one, other))
    ]
    assert 0 >= found[0] >= found[1]


def test_margin_is_over_the_best_place_elsewhere():
    near = predictions_of([0.0, 20.0, 40.0, 90.0], [0.9, 0.8, 0.5, 0.4])
    np.testing.assert_allclose(cell_features(near, SETTINGS), [[0, 0.9, 0.4]], 1e-6)
    alone = predictions_of([0.0, 20.0, 10.0, np.nan], [0.9, 0.8, 0.7, -np.inf])
    np.testing.assert_allclose(cell_features(alone, SETTINGS), [[0, 0.9, 0.2]], 1e-5)
    few = dataclasses.replace(SETTINGS, num_predictions=2)
    np.testing.assert_allclose(cell_features(near, few), [[0, 0.9, 0.1]], 1e-5)
    logs = dataclasses.replace(SETTINGS, log_scores=True)
    expected = [[0, np.log(0.9), np.log(0.9 / 0.5)]]
    np.testing.assert_allclose(cell_features(near, logs), expected, 1e-6)


def test_no_cell_is_no_position():
    found = estimate_positions(predictions_of([np.nan], [-np.inf]), SETTINGS)
    assert not found.localized[0]
    assert np.isnan(found.features).all()
    assert np.isnan(found.latitude_deg[0])
    assert np.isnan(found.errors_m(positions_at([0.0]))[0])


def test_confidence_is_right_on_other_photos_and_rises(town):
    classifier, photos, calibration = town
    descriptors, truth, _ = photos(1500, 2)
    predictions = classifier.predict(descriptors, 20)
    found = estimate_positions(predictions, SETTINGS, calibration=calibration)
    errors_m = found.errors_m(truth)
    right = errors_m <= 25
    assert 0.1 < right.mean() < 0.9
    for low, high in ((0, 0.5), (0.5, 1)):
        inside = (found.confidence >= low) & (found.confidence < high)
        mean = found.confidence[inside].mean()
        assert right[inside].mean() == pytest.approx(mean, abs=0.12)
    assert right[found.localized].mean() > 0.85
    assert (errors_m <= found.expected_error_m).mean() == pytest.approx(0.68, abs=0.08)
    # More of a feature never means less confidence.
    step = np.array([[0.5, 0, 0], [0, 0.2, 0], [0, 0, 0.2]])
    more = [calibration.apply(found.features + one, found.num_votes)[0] for one in step]
    assert (np.array(more) >= found.confidence).all()


def test_places_that_heads_do_not_know_have_a_low_confidence():
    classifier, photos = knowing_classifier(street_table(120, apart=3), alike=False)
    val = photos(300, 1)[:2]
    calibration = calibrate(classifier, *val)
    assert calibration.outside_answered < calibration.coverage / 4
    assert calibration.precision > 0.95
    descriptors, truth, _ = photos(200, 3)
    outside = predict_outside(classifier, descriptors, truth, radius_m=50, n=20)
    found = estimate_positions(outside, SETTINGS, calibration=calibration)
    assert (found.errors_m(truth) > 50).all()
    trusting = calibrate(
        classifier, *val, dataclasses.replace(CONFIG, outside_share=0.0)
    )
    assert trusting.outside_answered is None
    trusted = estimate_positions(outside, SETTINGS, calibration=trusting)
    assert trusted.confidence.mean() > found.confidence.mean() + 0.05


def test_the_others_share_what_left_out_places_had():
    classifier = random_classifier(street_table(12, 2), score="softmax")
    descriptors = np.eye(6, dtype=np.float32)
    truth = classifier.table.positions.take(np.arange(6))
    found = predict_outside(classifier, descriptors, truth, radius_m=30, n=12)
    missing = (found.rows < 0).sum(axis=1)
    assert missing.min() >= 2
    sums = np.where(found.rows >= 0, found.scores, 0).sum(axis=1)
    np.testing.assert_allclose(sums, 2, rtol=1e-5)  # one for each group
    unknown = dataclasses.replace(truth, utm_zone=np.zeros(6, np.int16))
    none = predict_outside(classifier, descriptors, unknown, radius_m=30, n=12)
    assert (none.rows == -1).all()


def test_own_cell_is_left_out_however_large():
    classifier = random_classifier(street_table(5, 1, size_m=400))
    truth = positions_at([3.0])  # 250 m from the centre of its cell
    descriptors = np.ones((1, 6), np.float32)
    found = predict_outside(classifier, descriptors, truth, radius_m=50, n=5)
    assert sorted(found.rows[0]) == [-1, 1, 2, 3, 4]


def test_groups_best_places():
    table = street_table(6, 2)
    scores = np.array([[0, 1, 0, 5, 2, 0], [0, 1, 2, -np.inf, -np.inf, -np.inf]])
    of_groups = [scores[:, cells] for cells in table.places_of_groups]
    found = best_of_groups(table.places_of_groups, of_groups)
    np.testing.assert_array_equal(found, [[1, 3], [2, 2]])


@pytest.mark.parametrize("table", [shared_table(6), street_table(6, 1)])
def test_groups_without_cells_of_their_own_have_no_best(table):
    found = random_classifier(table).predict(np.ones((2, 6), np.float32), 3)
    assert found.group_rows is None
    assert np.isnan(found.spread_m).all()


@pytest.mark.parametrize("table", [street_table(8, 1), shared_table(8)])
def test_few_queries_and_heads_without_spread_can_be_calibrated(table):
    classifier = random_classifier(table, kind="linear", score="softmax")
    descriptors = np.random.default_rng(0).normal(size=(3, 6)).astype(np.float32)
    calibration = calibrate(classifier, descriptors, table.positions.take([0, 1, 2]))
    assert calibration.settings["log_scores"]
    assert calibration.feature_weights == {"agreement": 0.0, "score": 0.0, "margin": 1}
    assert Calibration.from_dict(calibration.to_dict()) == calibration
    settings_ = classifier.settings(20)
    predictions = classifier.predict(descriptors, 20)
    found = estimate_positions(predictions, settings_, calibration=calibration)
    assert (found.confidence < 0.9).all()


def test_calibrations_of_other_settings_are_refused(town):
    classifier, photos, calibration = town
    predictions = classifier.predict(photos(2, 5)[0], 20)
    other = dataclasses.replace(SETTINGS, num_predictions=7)
    with pytest.raises(LocalizationError, match=r"num_predictions=20\. Received: 7"):
        estimate_positions(predictions, other, calibration=calibration)
    with pytest.raises(LocalizationError, match="method=classification"):
        calibration.check_settings(calibrated_settings(CONFIG))
