import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.label_places import free_places

FRAME = (0.0, 0.0, 500.0, 400.0)


def boxes(points, sizes, offsets):
    return [
        (x + dx, y + dy, x + dx + width, y + dy + height)
        for (x, y), (width, height), (dx, dy) in zip(
            points, sizes, offsets, strict=True
        )
    ]


def share_area(one, other):
    return (
        min(one[2], other[2]) - max(one[0], other[0]) > 1e-9
        and min(one[3], other[3]) - max(one[1], other[1]) > 1e-9
    )


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.floats(100, 400), st.floats(60, 340)), max_size=7))
def test_free_places_hides_no_name_and_no_point_and_stays_inside(points):
    sizes = [(50.0, 9.0)] * len(points)
    found = boxes(points, sizes, free_places(np.array(points), sizes, FRAME))
    for row, box in enumerate(found):
        assert min(box) >= 0
        assert box[2] <= 500
        assert box[3] <= 400
        assert not any(share_area(box, other) for other in found[row + 1 :])
        for x, y in points:
            assert not share_area(box, (x - 1, y - 1, x + 1, y + 1))


def test_free_places_avoids_a_line():
    point, size = np.array([[200.0, 200.0]]), [(50.0, 9.0)]
    line = np.array([[200.0 + step, 200.0] for step in range(4, 100)])
    [(dx, dy)] = free_places(point, size, FRAME)
    assert dx > 0
    assert -9 < dy < 0
    [box] = boxes(point, size, free_places(point, size, FRAME, line))
    assert not any(share_area(box, (x - 1, y - 1, x + 1, y + 1)) for x, y in line)
