import numpy as np
import pytest

from vpr_tf.geo import extent_deg, heading_differences_deg, wrap_degrees


def test_heading_difference_wraps_and_knows_the_unknown():
    a = np.array([350.0, 0, 90, -1, 720])
    b = np.array([10.0, 180, 90, 10, 0])
    found = heading_differences_deg(a, b)
    np.testing.assert_array_equal(found, [20, 180, 0, np.nan, 0])


def test_degrees_wrap_to_the_half_turn_around_zero():
    found = wrap_degrees([0, 180, -180, 359.5, -540.25])
    np.testing.assert_array_equal(found, [0, -180, -180, -0.5, 179.75])


def test_extent_across_the_antimeridian():
    west, east = extent_deg(np.array([179.0, -179.0, 178.0]))
    assert (west, east) == pytest.approx((178, 181))
    assert extent_deg(np.array([5.0])) == pytest.approx((5, 5))
