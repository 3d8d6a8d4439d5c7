import numpy as np
import pytest

from vpr_tf.report.bootstrap import BootstrapSettings
from vpr_tf.report.error_distribution import error_distribution

SETTINGS = BootstrapSettings(num_resamples=200)


def test_handmade_errors():
    error_m = np.array([4.0, 0.0, 25.0, 1.0, 26.0, np.nan, 3.0, 2.0])
    known = np.array([True] * 6 + [True, False])  # the last is of unknown position
    errors = error_distribution(error_m, known, 25, SETTINGS)
    assert (errors.num_queries, errors.num_unanswerable) == (6, 1)
    kept = [0, 1, 3, 4, 25, 26]
    assert errors.median_m.value == 3.5
    assert errors.mean_m.value == pytest.approx(np.mean(kept))
    assert errors.p75_m.value == pytest.approx(np.percentile(kept, 75))
    assert errors.p90_m.value == pytest.approx(25.5)
    assert errors.within_threshold.value == pytest.approx(500 / 6)  # 25 m is within
    assert errors.cdf_error_m == kept
    assert errors.cdf_percent == pytest.approx([100 * i / 6 for i in range(1, 7)])


def test_distribution_function_of_many_errors_keeps_its_ends():
    error_m = np.random.default_rng(0).exponential(30, 5000)
    errors = error_distribution(error_m, np.ones(5000, bool), 25, SETTINGS)
    assert len(errors.cdf_error_m) <= 200
    assert errors.cdf_error_m[0] == error_m.min()
    assert errors.cdf_error_m[-1] == error_m.max()
    assert errors.cdf_percent[-1] == 100
    for metres, percent in zip(errors.cdf_error_m, errors.cdf_percent, strict=True):
        assert percent == pytest.approx(np.mean(error_m <= metres) * 100)


def test_equal_errors_share_their_step():
    errors = error_distribution(
        np.array([5.0, 5, 5, 9]), np.ones(4, bool), 25, SETTINGS
    )
    assert errors.cdf_percent == [75, 75, 75, 100]
    assert errors.within_threshold.value == 100
    assert errors.within_threshold.low < 60  # of four


def test_without_answers_there_is_no_number():
    errors = error_distribution(np.array([np.nan]), np.array([True]), 25, SETTINGS)
    assert (errors.num_queries, errors.num_unanswerable) == (0, 1)
    assert np.isnan(errors.median_m.value)
    assert errors.cdf_error_m == []
