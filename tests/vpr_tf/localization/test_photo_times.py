import numpy as np
import pytest

from vpr_tf.localization import LocalizationError, PhotoTimes

NAN = np.nan


def test_photos_are_put_in_order_and_equal_times_stay():
    times = PhotoTimes.of_clock([30, 10, 20, 10], 1.0)
    assert times.order.tolist() == [1, 3, 2, 0]
    assert times.seconds_between.tolist() == [1, 11, 11]


def test_a_time_to_the_minute_may_be_a_minute_later():
    times = PhotoTimes.of_clock([0.0, 5.0], np.array([60.0, 1.0]))
    assert times.seconds_between.tolist() == [6.0]
    times = PhotoTimes.of_clock([0.0, 60.0], 60.0)
    assert times.seconds_between.tolist() == [120.0]


def test_a_photo_without_a_time_is_between_those_around_it():
    times = PhotoTimes.of_clock([0, NAN, NAN, 10, 12], 0.0)
    assert times.order.tolist() == [0, 1, 2, 3, 4]
    assert times.seconds_between.tolist() == [10, 10, 10, 2]
    moved = PhotoTimes.of_clock([10, NAN, 0], 0.0)
    assert moved.order.tolist() == [2, 0, 1]
    assert moved.seconds_between.tolist() == [10, np.inf]


def test_nothing_is_known_of_the_time_before_the_first():
    times = PhotoTimes.of_clock([NAN, 5, NAN], 0.0)
    assert times.order.tolist() == [0, 1, 2]
    assert times.seconds_between.tolist() == [np.inf, np.inf]


def test_one_photo_needs_no_time():
    assert len(PhotoTimes.of_clock([NAN], 1.0)) == 1
    assert len(PhotoTimes.of_clock([], 1.0)) == 0


def test_photos_without_any_time_are_refused():
    with pytest.raises(LocalizationError, match=r"no time.*--seconds-between"):
        PhotoTimes.of_clock([NAN, NAN], 1.0)
    with pytest.raises(LocalizationError, match="Received: inf"):
        PhotoTimes.of_clock([0.0, np.inf], 1.0)


def test_even_times():
    times = PhotoTimes.evenly(3, 2.0)
    assert times.order.tolist() == [0, 1, 2]
    assert times.seconds_between.tolist() == [2.0, 2.0]
    assert np.isnan(times.clock_seconds).all()
    assert PhotoTimes.evenly(3, 2.0, [0, 2, 3]).seconds_between.tolist() == [4.0, 2.0]
    assert len(PhotoTimes.evenly(0, 2.0)) == 0
    for wrong in (-1.0, np.inf, NAN, 1e300):
        with pytest.raises(LocalizationError, match="`seconds_between` must be"):
            PhotoTimes.evenly(3, wrong)
