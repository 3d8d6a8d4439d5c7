import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from vpr_tf.report import bootstrap
from vpr_tf.report.bootstrap import (
    BootstrapSettings,
    bootstrap_means,
    bootstrap_quantiles,
)

SETTINGS = BootstrapSettings(num_resamples=500)


def test_intervals_are_those_of_scipy():
    values = np.random.default_rng(1).exponential(size=60)
    ours = bootstrap_means(values[:, None], BootstrapSettings(4000))[0]
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=4000, method="percentile"
    ).confidence_interval
    # Two samples of the same distribution; its standard deviation is about 0.13.
    assert ours.low == pytest.approx(theirs.low, abs=0.03)
    assert ours.high == pytest.approx(theirs.high, abs=0.03)
    assert ours.value == pytest.approx(values.mean())


def test_quantile_interval_is_that_of_sorted_resamples():
    values = np.random.default_rng(2).normal(size=31)
    (median,) = bootstrap_quantiles(values, [0.5], SETTINGS)
    rows = np.random.default_rng(0).integers(31, size=(500, 31))
    medians = [np.median(values[chosen]) for chosen in rows]
    assert median.value == np.median(values)
    assert median.low == pytest.approx(np.percentile(medians, 2.5))
    assert median.high == pytest.approx(np.percentile(medians, 97.5))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=50))
def test_interval_of_a_share_contains_it(found):
    share = bootstrap_means(np.array(found)[:, None] * 100.0, SETTINGS)[0]
    assert 0 <= share.low <= share.value <= share.high <= 100


def test_the_seed_decides(monkeypatch):
    values = np.random.default_rng(3).normal(size=(40, 2))
    first = bootstrap_means(values, SETTINGS)
    assert bootstrap_means(values, SETTINGS) == first
    assert bootstrap_means(values, BootstrapSettings(500, seed=1)) != first
    monkeypatch.setattr(bootstrap, "_ROWS_AT_ONCE", 170)  # four resamples at once
    assert bootstrap_means(values, SETTINGS) == first


def test_one_query_and_none():
    assert bootstrap_means(np.array([[7.0]]), SETTINGS)[0].low == 7
    assert bootstrap_quantiles(np.array([7.0]), [0.9], SETTINGS)[0].high == 7
    nothing = bootstrap_means(np.empty((0, 2)), SETTINGS)
    assert len(nothing) == 2
    assert math.isnan(nothing[0].value)
    assert math.isnan(bootstrap_quantiles(np.empty(0), [0.5], SETTINGS)[0].low)
