import numpy as np
import pytest

from vpr_tf.localization.reliability import (
    expected_calibration_error,
    reliability_bins,
)


def test_bins_of_a_hand_made_case():
    confidence = np.array([0.9, 0.1, 0.2, 0.8])
    right = np.array([True, False, True, True])
    bins = reliability_bins(confidence, right, num_bins=2)
    assert [entry.num_queries for entry in bins] == [2, 2]
    assert [entry.mean_confidence for entry in bins] == pytest.approx([0.15, 0.85])
    assert [entry.precision for entry in bins] == pytest.approx([0.5, 1.0])
    assert expected_calibration_error(bins) == pytest.approx((0.35 + 0.15) / 2)


def test_equal_confidences_are_one_bin():
    bins = reliability_bins(np.full(7, 0.5), np.arange(7) < 3)
    assert [entry.num_queries for entry in bins] == [7]
    assert expected_calibration_error(bins) == pytest.approx(0.5 - 3 / 7)


def test_confidences_that_are_right_have_no_error():
    rng = np.random.default_rng(0)
    confidence = rng.random(20_000)
    bins = reliability_bins(confidence, rng.random(20_000) < confidence)
    assert len(bins) == 10
    assert expected_calibration_error(bins) < 0.02
