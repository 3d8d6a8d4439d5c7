import numpy as np
import pytest

from vpr_tf.report.strata import stratify


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
    # One of one says little: the bootstrap would say 100 to 100.
    assert divided.strata[1].recall_at_1.value == 100
    assert divided.strata[1].recall_at_1.low < 25
