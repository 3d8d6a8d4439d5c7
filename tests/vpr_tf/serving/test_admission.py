"""Photos that would wait too long are refused at once."""

import pytest

from vpr_tf.serving import ServiceSettings
from vpr_tf.serving.admission import Admission
from vpr_tf.serving.problems import ProblemError


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def admission(tmp_path, clock):
    settings = ServiceSettings({"city": tmp_path}, max_queued=30, max_wait_s=2.0)
    return Admission(settings, clock)


def done(admission, clock, num_photos, seconds):
    with admission.places(num_photos):
        clock.now += seconds


def test_pace_is_that_of_photos_that_are_done(admission, clock):
    assert admission.seconds_a_photo == 0
    done(admission, clock, 4, 2.0)
    clock.now += 1000  # idle
    done(admission, clock, 1, 0.5)
    assert admission.seconds_a_photo == pytest.approx(0.5, rel=0.01)
    for _ in range(1000):
        done(admission, clock, 1, 0.1)
    assert admission.seconds_a_photo == pytest.approx(0.1, rel=0.01)


def test_photos_that_would_wait_too_long_are_refused(admission, clock):
    done(admission, clock, 10, 3.0)
    with admission.places(6):
        admission.check()  # 1.8 s
        with admission.places(2), pytest.raises(ProblemError) as refused:
            admission.check()  # 2.4 s
    assert refused.value.status == 503
    assert int(refused.value.headers["Retry-After"]) >= 1
    admission.check()
    assert admission.num_photos == 0


def test_photos_beyond_the_places_are_refused(admission):
    with admission.places(29):
        admission.check(1)
        with pytest.raises(ProblemError), admission.places(2):
            pass
        assert admission.num_photos == 29


def test_nothing_is_taken_while_nothing_is_done(admission, clock):
    done(admission, clock, 100 // 10, 0.1)
    with admission.places(1):
        clock.now += 2.5
        admission.check()  # one that is slow holds up nobody
        with admission.places(16):
            clock.now += 2.5
            with pytest.raises(ProblemError):
                admission.check()


def test_failed_photos_do_not_change_the_pace(admission, clock):
    done(admission, clock, 1, 1.0)
    with pytest.raises(ValueError), admission.places(20):
        raise ValueError
    assert admission.seconds_a_photo == pytest.approx(1.0)
    assert admission.num_photos == 0
