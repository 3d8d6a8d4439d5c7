import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.stats import binomtest

from vpr_tf.report.proportions import wilson_interval, wilson_percentages


@given(st.integers(1, 5000), st.floats(0, 1), st.sampled_from([0.5, 0.9, 0.95, 0.99]))
@example(49, 1.0, 0.95)
@example(49, 0.0, 0.95)
def test_interval_is_that_of_scipy(trials, share, level):
    successes = round(share * trials)
    ours = wilson_interval(successes, trials, level)
    theirs = binomtest(successes, trials).proportion_ci(level, method="wilson")
    assert ours.value == successes / trials
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)
    assert 0 <= ours.low <= ours.value <= ours.high <= 1
    assert ours.low < ours.high  # whatever the share


def test_percentages_of_columns():
    found = np.array([[True, True, False]] * 48 + [[True, False, False]])
    all_, most, none = wilson_percentages(found, 0.95)
    assert (all_.value, all_.high) == (100, 100)
    assert all_.low == pytest.approx(92.73, abs=0.01)
    assert most.value == pytest.approx(100 * 48 / 49)
    assert most.low < all_.low < most.high < 100
    assert (none.value, none.low) == (0, 0)
    assert none.high == pytest.approx(100 - all_.low)


def test_without_queries_nothing_is_known():
    nothing = wilson_percentages(np.empty((0, 2), bool), 0.95)
    assert len(nothing) == 2
    assert all(math.isnan(one) for one in (nothing[0].value, nothing[1].low))
