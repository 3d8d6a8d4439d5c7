import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from vpr_tf.data.augmentation import CROP_DRAWS, crop_window


def reference_window(height: int, width: int, min_area: float, uniform: np.ndarray):
    """The rule, one try after another, on the same draws."""
    uniform = uniform.astype(np.float64)
    for attempt in range(10):
        area = height * width * (min_area + (1 - min_area) * uniform[2 + attempt])
        log_ratio = math.log(3 / 4) + math.log(16 / 9) * uniform[12 + attempt]
        w = round(math.sqrt(area * math.exp(log_ratio)))
        h = round(math.sqrt(area / math.exp(log_ratio)))
        if 0 < w <= width and 0 < h <= height:
            top = int(uniform[0] * (height - h + 1))
            return top, int(uniform[1] * (width - w + 1)), h, w
    h, w = height, width
    if width / height < 3 / 4:
        h = round(width / (3 / 4))
    elif width / height > 4 / 3:
        w = round(height * (4 / 3))
    return (height - h) // 2, (width - w) // 2, h, w


def draws(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random(CROP_DRAWS, np.float32)


def window_of(height, width, min_area, uniform) -> np.ndarray:
    return crop_window(
        tf.constant(height), tf.constant(width), min_area, tf.constant(uniform)
    ).numpy()


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 3000),
    width=st.integers(1, 3000),
    min_area=st.sampled_from([0.08, 0.5, 1.0]),
    seed=st.integers(0, 10**6),
)
def test_window_follows_the_rule_and_lies_inside(height, width, min_area, seed):
    uniform = draws(seed)
    top, left, h, w = window_of(height, width, min_area, uniform)
    assert h >= 1
    assert w >= 1
    assert 0 <= top <= height - h
    assert 0 <= left <= width - w
    expected = reference_window(height, width, min_area, uniform)
    # float32 may round a side that is half-way, and then its corner, by one pixel.
    np.testing.assert_allclose([top, left, h, w], expected, atol=1)


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [(100, 400, (0, 133, 100, 133)), (400, 100, (133, 0, 133, 100))],
)
def test_window_of_a_long_image_is_central_when_nothing_fits(height, width, expected):
    np.testing.assert_array_equal(window_of(height, width, 1.0, draws(0)), expected)


def test_whole_area_of_a_square_image_is_the_whole_image():
    uniform = draws(1)
    uniform[12:] = 0.5  # aspect 1
    np.testing.assert_array_equal(window_of(64, 64, 1.0, uniform), [0, 0, 64, 64])


def test_areas_aspects_and_corners_cover_their_ranges():
    windows = np.array([window_of(512, 512, 0.5, draws(seed)) for seed in range(400)])
    areas = windows[:, 2] * windows[:, 3] / 512**2
    ratios = windows[:, 3] / windows[:, 2]
    assert 0.49 < areas.min() < 0.52
    assert areas.max() > 0.9
    assert 0.74 < ratios.min() < 0.79
    assert 1.27 < ratios.max() < 1.35
    assert (windows[:, :2].min(axis=0) == 0).all()
    ends = windows[:, :2] + windows[:, 2:]
    assert (ends.max(axis=0) == 512).all()
