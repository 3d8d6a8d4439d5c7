import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.vpr_tf.localization.places import (
    estimate,
    photos_at,
    photos_in_plane,
    supporting,
)
from vpr_tf.config import LocalizationConfig
from vpr_tf.localization import (
    Calibration,
    FittedOn,
    LocalizationError,
    calibrate_on_queries,
    fit_calibration,
)
from vpr_tf.localization.features import MATCHES
from vpr_tf.localization.fitting import choose_min_confidence
from vpr_tf.localization.retrieval_calibration import estimate_outside
from vpr_tf.localization.scores import fit_scores

CONFIG = LocalizationConfig()
VAL = FittedOn("val", 25.0, "e")


def make_queries(num_queries, seed=0):
    """Queries near 0, 0; the more of their matches are there, the more similar."""
    rng = np.random.default_rng(seed)
    photos = photos_in_plane(np.arange(400) % 40 * 100.0, np.arange(400) // 40 * 100.0)
    easy = rng.random(num_queries)
    rows = rng.integers(1, 400, (num_queries, 8))
    rows[rng.random(rows.shape) < easy[:, None] * 0.7] = 0
    distances = np.sort(rng.random(rows.shape), axis=1) * (1.5 - easy[:, None])
    truth = photos_in_plane(*rng.normal(scale=4, size=(2, num_queries))).positions
    return photos, distances, rows, truth


def fit(num_queries, config=CONFIG, seed=0):
    photos, distances, rows, truth = make_queries(num_queries, seed)
    estimates = estimate(distances, rows, photos, config)
    calibration = fit_calibration(estimates, estimates.errors_m(truth), config, VAL)
    return calibration, (photos, distances, rows, truth)


@pytest.mark.parametrize("kind", ["isotonic", "platt"])
def test_confidence_is_right_on_other_queries(kind):
    config = LocalizationConfig(calibration=kind, wanted_precision=0.9)
    calibration, _ = fit(1200, config)
    assert calibration.feature_weights["share"] > 0
    photos, distances, rows, truth = make_queries(3000, seed=1)
    found = estimate(distances, rows, photos, config, calibration=calibration)
    errors_m = found.errors_m(truth)
    right = errors_m <= 25
    assert 0.3 < right.mean() < 0.95
    for low, high in ((0, 0.5), (0.5, 0.9), (0.9, 1)):
        inside = (found.confidence >= low) & (found.confidence < high)
        mean = found.confidence[inside].mean()
        assert right[inside].mean() == pytest.approx(mean, abs=0.1)
    assert right[found.localized].mean() == pytest.approx(0.9, abs=0.04)
    assert 0.2 < found.localized.mean() < 0.99
    within = errors_m <= found.expected_error_m
    assert within.mean() == pytest.approx(0.68, abs=0.06)
    assert calibration.reliability.expected_calibration_error < 0.08


def test_stored_calibration_gives_the_same():
    calibration, (photos, distances, rows, _) = fit(120)
    text = json.dumps(calibration.to_dict(), allow_nan=False)
    read = Calibration.from_dict(json.loads(text))
    assert read == calibration
    first, then = (
        estimate(distances, rows, photos, CONFIG, calibration=one)
        for one in (calibration, read)
    )
    np.testing.assert_array_equal(then.confidence, first.confidence)
    np.testing.assert_array_equal(then.expected_error_m, first.expected_error_m)


def test_same_queries_give_the_same_calibration():
    assert fit(80)[0] == fit(80)[0]


@pytest.mark.parametrize("num_queries", [1, 2, 3, 5])
@pytest.mark.parametrize("kind", ["isotonic", "platt"])
def test_few_queries_are_never_certain(num_queries, kind):
    config = LocalizationConfig(calibration=kind)
    calibration, (photos, distances, rows, _) = fit(num_queries, config)
    found = estimate(distances, rows, photos, config, calibration=calibration)
    bound = (num_queries + 1) / (num_queries + 2)
    assert (found.confidence <= bound + 1e-9).all()
    assert (found.confidence >= 1 - bound - 1e-9).all()
    assert (calibration.reliability is None) == (num_queries == 1)


def test_few_wrong_positions_are_ordered_by_the_share_of_the_cluster():
    features = np.random.default_rng(0).random((50, 3))
    right = np.arange(50) >= 9
    weights, scores = fit_scores(features, right, np.ones(len(right)), 0, MATCHES)
    assert weights == {"similarity": 0.0, "gap": 0.0, "share": 1.0}
    np.testing.assert_array_equal(scores, features[:, 2])


def test_no_feature_makes_a_position_less_certain():
    rng = np.random.default_rng(0)
    features = rng.random((400, 3))
    right = features[:, 2] - features[:, 0] + rng.normal(size=400) > 0
    weights, scores = fit_scores(features, right, np.ones(len(right)), 0, MATCHES)
    assert weights["similarity"] == 0
    assert weights["share"] > 0
    assert scores[right].mean() > scores[~right].mean()


def test_features_that_only_mislead_leave_the_share_of_the_cluster():
    features = np.random.default_rng(0).random((400, 3))
    right = features.sum(axis=1) < 1.5
    weights, _ = fit_scores(features, right, np.ones(400), 0, MATCHES)
    assert weights == {"similarity": 0.0, "gap": 0.0, "share": 1.0}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=30),
    st.floats(0, 1),
)
def test_min_confidence_reaches_the_wanted_precision_or_the_best(answers, wanted):
    confidence, right = (np.array(values) for values in zip(*answers, strict=True))
    chosen = choose_min_confidence(confidence, right, np.ones(len(right)), wanted)

    def precision(minimum):
        return right[confidence >= minimum].sum() / ((confidence >= minimum).sum() + 1)

    best = max(map(precision, confidence))
    assert precision(chosen) >= min(wanted, best)
    lower = confidence[right & (confidence < chosen)]
    assert all(precision(value) < min(wanted, best) for value in lower)
    assert chosen in confidence[right | ~right.any()]


def test_abstention_reaches_the_wanted_precision():
    config = LocalizationConfig(wanted_precision=0.8)
    calibration, (photos, distances, rows, truth) = fit(200, config)
    found = estimate(distances, rows, photos, config, calibration=calibration)
    right = found.errors_m(truth) <= 25
    assert right.mean() < 0.8 <= right[found.localized].mean()
    assert calibration.precision == pytest.approx(right[found.localized].mean())
    assert calibration.coverage == pytest.approx(found.localized.mean())
    assert calibration.reaches_wanted_precision
    every = estimate(
        distances, rows, photos, config, calibration=calibration, min_confidence=0
    )
    assert every.localized.all()


def test_precision_that_cannot_be_reached_is_said():
    config = LocalizationConfig(wanted_precision=1.0, num_predictions=1)
    photos = photos_in_plane([0, 500], [0, 0])
    rows = np.array([[0], [1], [0], [1]])
    estimates = estimate(np.full((4, 1), 0.5), rows, photos, config)
    calibration = fit_calibration(
        estimates,
        np.array([1.0, 99.0, 1.0, 99.0]),
        config,
        FittedOn("val", 25.0, "e"),
    )
    assert not calibration.reaches_wanted_precision
    assert calibration.precision == 0.5
    assert calibration.coverage == 1


def test_photos_from_elsewhere_have_a_low_confidence():
    # Similar photos of the place, and anything else far less similar.
    rng = np.random.default_rng(0)
    photos = photos_in_plane(np.arange(100) * 100.0, np.zeros(100))
    queries = photos_at(photos.take(np.arange(40)).positions)
    others = np.stack([rng.choice(np.arange(50, 100), 19, False) for _ in range(40)])
    rows = np.concatenate([np.arange(40)[:, None], others], axis=1)
    distances = np.sort(rng.uniform(1.0, 1.2, (40, 20)), axis=1)
    distances[:, 0] = rng.uniform(0.1, 0.4, 40)
    config = LocalizationConfig(num_predictions=10)
    arguments = (distances, rows, queries, photos, config)
    calibration = calibrate_on_queries(*arguments, VAL)
    assert calibration.outside_answered == 0
    assert calibration.coverage == 1
    assert calibration.feature_weights["similarity"] > 0
    outside = estimate_outside(*arguments, 25.0)
    assert all(query not in supporting(outside, query) for query in range(40))
    assert (outside.num_votes == 10).all()
    far = estimate(
        distances[:, 1:], rows[:, 1:], photos, config, calibration=calibration
    )
    assert np.median(far.confidence) < 0.5
    assert not far.localized.any()
    near = estimate(distances, rows, photos, config, calibration=calibration)
    assert near.confidence.min() > 0.9
    without = dataclasses.replace(config, outside_share=0.0)
    trusting = calibrate_on_queries(distances, rows, queries, photos, without, VAL)
    far = estimate(distances[:, 1:], rows[:, 1:], photos, config, calibration=trusting)
    assert far.confidence.min() > 0.9  # it never saw a wrong position


def test_confidence_and_expected_error_agree():
    calibration, (photos, distances, rows, _) = fit(150)
    found = estimate(distances, rows, photos, CONFIG, calibration=calibration)
    unsure = found.confidence < calibration.error_quantile
    assert unsure.any()
    assert (found.expected_error_m[unsure] >= 25).all()
    assert (found.expected_error_m[~unsure] <= 25).all()


def test_queries_of_unknown_position_are_left_out():
    photos, distances, rows, truth = make_queries(40)
    estimates = estimate(distances, rows, photos, CONFIG)
    errors_m = estimates.errors_m(truth)
    errors_m[30:] = np.nan
    assert fit_calibration(estimates, errors_m, CONFIG, VAL).num_queries == 30
    with pytest.raises(LocalizationError, match="val has none"):
        fit_calibration(estimates, np.full(40, np.nan), CONFIG, VAL)


def test_fewer_matches_than_calibrated_have_no_confidence():
    calibration, (photos, distances, rows, _) = fit(60)
    assert calibration.min_votes == 8
    rows = np.where(np.arange(8) < 5, rows, -1)[:2]
    rows[1] = make_queries(60)[2][1]
    found = estimate(distances[:2], rows, photos, CONFIG, calibration=calibration)
    assert np.isnan(found.confidence).tolist() == [True, False]
    assert np.isfinite(found.latitude_deg).all()
    assert not found.localized[0]


def test_calibration_of_other_settings_or_encoders_is_refused():
    calibration, (photos, distances, rows, _) = fit(30)
    other = dataclasses.replace(CONFIG, cluster_radius_m=10.0)
    with pytest.raises(LocalizationError, match=r"radius_m=25\.0\. Received: 1"):
        estimate(distances, rows, photos, other, calibration=calibration)
    with pytest.raises(LocalizationError, match=r"must be other\. Received: e"):
        calibration.check_encoder("other")
    calibration.check_encoder("e")


def test_damaged_calibrations_are_refused():
    content = fit(30)[0].to_dict()
    damages = {
        "format_version": 9,
        "scores": [],
        "log_odds": [float("nan")] * len(content["log_odds"]),
        "error_scores": [*content["error_scores"][::-1], 0.0],
        "feature_weights": {"share": 1.0},
        "reliability": {"bins": []},
    }
    for name, value in damages.items():
        with pytest.raises(LocalizationError, match="Calibrate again"):
            Calibration.from_dict(content | {name: value})
    del content["error_m"]
    with pytest.raises(LocalizationError, match="error_m"):
        Calibration.from_dict(content)


def test_applying_a_calibration_needs_no_scikit_learn():
    import subprocess
    import sys

    code = (
        "import sys, vpr_tf.classification\n"
        "heavy = {'sklearn', 'scipy', 'tensorflow', 'keras', 'matplotlib'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
