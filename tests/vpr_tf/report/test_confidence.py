import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vpr_tf.report.bootstrap import BootstrapSettings
from vpr_tf.report.confidence import (
    area_under_precision,
    confidence_report,
    precision_over_coverage,
)


def report_of(confidence, error_m, threshold=0.5):
    confidence = np.array(confidence, float)
    return confidence_report(
        confidence,
        np.array(error_m, float),
        confidence >= threshold,
        threshold_m=25,
        calibration="platt",
        calibrated_on="val, 9 queries",
        wanted_precision=0.9,
        chosen_threshold=threshold,
        settings=BootstrapSettings(num_resamples=200),
    )


def test_handmade_report():
    report = report_of([0.9, 0.9, 0.6, 0.2], [25, 26, 3, 400])
    assert report.precision == 0.5
    assert report.threshold_at_coverage == [0.9, 0.6, 0.2]
    assert report.coverage == [0.5, 0.75, 1]
    assert report.precision_at_coverage == pytest.approx([0.5, 2 / 3, 0.5])
    # One answer: half right, two: half right, three: 2 of 3, four: 2 of 4.
    assert report.area.value == pytest.approx((0.5 + 0.5 + 2 / 3 + 0.5) / 4)
    assert report.best_area == pytest.approx((1 + 1 + 2 / 3 + 0.5) / 4)
    assert report.brier_score.value == pytest.approx((0.01 + 0.81 + 0.16 + 0.04) / 4)
    assert report.answered_coverage.value == 75
    assert report.answered_precision.value == pytest.approx(200 / 3)


def test_precision_of_100_is_not_certain():
    report = report_of([0.9] * 49 + [0.1], [1] * 49 + [99])
    precision = report.answered_precision
    assert (precision.value, precision.high) == (100, 100)
    assert precision.low == pytest.approx(92.7, abs=0.1)
    assert report.answered_coverage.low < 98 < report.answered_coverage.high < 100


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([0.1, 0.5, 0.9]), st.booleans()),
        min_size=1,
        max_size=6,
    )
)
def test_area_is_the_mean_over_all_orders_of_equal_confidences(pairs):
    confidence, right = map(np.array, zip(*pairs, strict=True))
    areas = []
    for order in itertools.permutations(range(len(pairs))):
        order = np.array(order)
        if (np.diff(confidence[order]) <= 0).all():
            found = np.cumsum(right[order]) / np.arange(1, len(pairs) + 1)
            areas.append(found.mean())
    area = area_under_precision(confidence, right)
    assert area == pytest.approx(np.mean(areas))
    worst = area_under_precision(1.0 - right, right)
    best = area_under_precision(right.astype(float), right)
    slack = 1e-12
    assert 0 <= worst <= area + slack
    assert area <= best + slack <= 1 + 2 * slack


def test_curve_ends_with_all_answers():
    generator = np.random.default_rng(1)
    confidence, right = generator.random(50).round(1), generator.random(50) < 0.7
    thresholds, coverage, precision = precision_over_coverage(confidence, right)
    for threshold, share, value in zip(thresholds, coverage, precision, strict=True):
        given_ = confidence >= threshold
        assert share == pytest.approx(given_.mean())
        assert value == pytest.approx(right[given_].mean())
    assert coverage[-1] == 1


def test_nothing_answered_has_no_precision():
    report = report_of([0.1, 0.2], [1, 400])
    assert report.answered_coverage.value == 0
    assert np.isnan(report.answered_precision.value)


def test_intervals_contain_their_numbers_and_repeat():
    generator = np.random.default_rng(2)
    confidence = generator.random(80)
    errors = np.where(generator.random(80) < confidence, 1, 99)
    report = report_of(confidence, errors)
    for measured in (report.area, report.brier_score, report.answered_precision):
        assert measured.low < measured.value < measured.high
    assert report == report_of(confidence, errors)
    assert report.area.high <= 1
