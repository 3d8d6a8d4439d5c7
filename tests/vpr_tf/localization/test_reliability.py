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


def test_perfect_calibration_has_no_error():
    confidence = np.repeat([0.25, 0.5, 0.75, 1.0], 4)
    right = np.array([1, 0, 0, 0, 1, 1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 1], bool)
    assert expected_calibration_error(
        reliability_bins(confidence, right)
    ) == pytest.approx(0)
    # All the same, and half of them right: off by 0.4.
    bins = reliability_bins(np.full(10, 0.9), np.arange(10) < 5)
    assert expected_calibration_error(bins) == pytest.approx(0.4)


def test_bins_hold_equally_many_and_keep_equal_confidences_together():
    generator = np.random.default_rng(0)
    confidence = generator.random(1000)
    bins = reliability_bins(confidence, confidence > 0.5, num_bins=10)
    assert [bin_.num_queries for bin_ in bins] == [100] * 10
    tied = np.repeat([0.2, 0.7, 0.8], [3, 90, 7])
    bins = reliability_bins(tied, np.ones(100, bool), num_bins=10)
    assert [bin_.num_queries for bin_ in bins] == [93, 7]
    assert sum(bin_.num_queries for bin_ in bins) == 100
    order = generator.permutation(100)
    assert reliability_bins(tied[order], np.ones(100, bool)) == bins
