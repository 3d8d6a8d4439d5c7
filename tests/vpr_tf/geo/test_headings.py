import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpr_tf.geo import constant_heading_text, normalized_headings


@given(st.floats(-180, 360))
def test_headings_are_turned_into_the_circle(degrees):
    found = float(normalized_headings(degrees))
    if degrees == -1:
        assert found == -1
        return
    assert 0 <= found < 360 or degrees == found == 360
    turned = (found - degrees + 180) % 360 - 180
    assert turned == pytest.approx(0, abs=1e-9)


def test_marks_of_unknown():
    marks = [np.nan, -1.0, -999.0, -9999.0, 360.0, -2.0]
    assert normalized_headings(marks).tolist() == [-1, -1, -1, -1, 360, 358]


@given(st.floats(allow_nan=False).filter(lambda x: x < -180 or x > 360))
def test_headings_beyond_are_refused(degrees):
    if degrees in (-999.0, -9999.0):
        return
    with pytest.raises(ValueError, match="A heading must be 0 to 360"):
        normalized_headings([0.0, degrees])


def test_one_heading_of_all_is_remarked():
    assert "all 20 headings are 0, so probably none" in constant_heading_text(0, 0, 20)
    assert constant_heading_text(0, 1, 20) == ""
    assert constant_heading_text(90, 90, 2) == ""
    assert constant_heading_text(np.inf, -np.inf, 0) == ""
