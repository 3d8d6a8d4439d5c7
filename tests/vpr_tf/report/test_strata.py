import numpy as np
import pytest

from vpr_tf.report.strata import stratify, wilson_interval


def test_queries_are_divided_at_the_edges():
    values = np.array([0.0, 1.9, 2.0, 5.0, np.nan, 1.0])
    found = np.array([True, False, True, True, True, True])
    divided = stratify(
        "gap", "years", values, found, [2, 4, 6], ["0", "2", "4", "6"], 0.95
    )
    assert [(s.label, s.num_queries) for s in divided.strata] == [
        ("0", 3),
        ("2", 1),
        ("4", 1),
    ]
    assert divided.strata[0].recall_at_1.value == pytest.approx(200 / 3)
    assert divided.num_unknown == 1


def test_wilson_interval_is_that_of_its_formula():
    low, high = wilson_interval(8, 10, 0.95)
    z = 1.959963984540054
    centre = (0.8 + z**2 / 20) / (1 + z**2 / 10)
    half = z / (1 + z**2 / 10) * np.sqrt(0.8 * 0.2 / 10 + z**2 / 400)
    assert (low, high) == pytest.approx((centre - half, centre + half))
    # All of three right says little: the bootstrap would say 100 to 100.
    assert wilson_interval(3, 3, 0.95)[0] < 0.5
