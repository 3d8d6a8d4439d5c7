import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.inspection.spacing import measure_spacing
from vpr_tf.data.partition import CLASS_DTYPE

SIZE, STRIDE, ALPHA = 10, 3, 30


def table(rows) -> np.ndarray:
    classes = np.zeros(len(rows), CLASS_DTYPE)
    for name, column in zip(
        ("group_id", "utm_zone", "cell_east_m", "cell_north_m", "heading_bin_deg"),
        zip(*rows, strict=True),
        strict=True,
    ):
        classes[name] = column
    return classes


cell = st.integers(-12, 12).map(lambda number: number * SIZE)
row = st.tuples(
    st.integers(0, 1),
    st.sampled_from([10, -10]),
    cell,
    cell,
    st.integers(0, 11).map(lambda b: b * ALPHA),
)


@settings(deadline=None, max_examples=150)
@given(st.lists(row, min_size=1, max_size=30, unique=True))
def test_equal_to_all_pairs(rows):
    found = measure_spacing(table(rows), SIZE, STRIDE, ALPHA)
    metres, degrees = [], []
    for i, one in enumerate(rows):
        for other in rows[:i]:
            if one[:2] != other[:2]:
                continue
            east, north = (max(abs(one[a] - other[a]) - SIZE, 0) for a in (2, 3))
            if one[2:4] == other[2:4]:
                turn = abs(one[4] - other[4])
                degrees.append(min(turn, 360 - turn) - ALPHA)
            else:
                metres.append(np.hypot(east, north))
    assert found.degrees == (min(degrees) if degrees else None)
    expected = min(metres, default=np.inf)
    if found.metres is None:
        assert expected >= SIZE * STRIDE
    else:
        # Beyond the reach of a bucket only a lower bound is needed.
        assert found.metres == expected or min(found.metres, expected) >= SIZE * STRIDE


def test_wide_heading_stride_that_does_not_divide_the_turn_is_seen():
    rows = [(0, 10, 0, 0, 0), (0, 10, 0, 0, 150), (0, 10, 0, 0, 300)]
    assert measure_spacing(table(rows), SIZE, STRIDE, ALPHA).degrees == 30


def test_a_million_classes_are_measured(monkeypatch):
    side = 1000
    east, north = np.divmod(np.arange(side * side), side)
    classes = np.zeros(side * side, CLASS_DTYPE)
    classes["cell_east_m"] = east * SIZE * STRIDE
    classes["cell_north_m"] = north * SIZE * STRIDE
    found = measure_spacing(classes, SIZE, STRIDE, ALPHA)
    assert found.metres == pytest.approx(SIZE * (STRIDE - 1))
