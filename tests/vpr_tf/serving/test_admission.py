"""Photos that would wait too long are refused at once."""

import asyncio
import base64
import time

import pytest

from tests.vpr_tf.serving.samples import photo
from vpr_tf.serving import ServiceSettings
from vpr_tf.serving.admission import Admission
from vpr_tf.serving.photo_work import num_pixels
from vpr_tf.serving.problems import ProblemError
from vpr_tf.serving.turns import FairPlaces


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
    assert admission.seconds_a_photo == pytest.approx(0.1, rel=0.05)


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


def test_photos_of_one_request_that_are_done_one_by_one_hold_up_nobody(
    admission, clock
):
    done(admission, clock, 10, 0.1)
    with admission.places(20, 20 * 24_000_000):
        for _ in range(20):
            clock.now += 0.45
            admission.photo_done()
            with admission.places(1, 5_000):
                pass
        clock.now += 2.5
        with pytest.raises(ProblemError):
            admission.check()


def fail(admission, clock, seconds):
    with admission.places(1):
        clock.now += seconds
        raise ValueError


def test_time_of_photos_that_failed_is_not_that_of_others(admission, clock):
    done(admission, clock, 1, 0.01)
    with admission.places(20):
        with pytest.raises(ValueError):
            fail(admission, clock, 60)
        admission.check()
        clock.now += 1
    assert admission.seconds_a_photo == pytest.approx(0.05, rel=0.1)


def test_failed_photos_do_not_change_the_pace(admission, clock):
    done(admission, clock, 1, 1.0)
    with pytest.raises(ValueError), admission.places(20):
        raise ValueError
    assert admission.seconds_a_photo == pytest.approx(1.0)
    assert admission.num_photos == 0


def test_pixels_count_of_which_each_request_decodes_one_in_turn(admission, clock):
    done(admission, clock, 10, 0.1)
    with admission.places(10, 400_000_000):  # 8 s
        admission.check()  # after one of them
        assert admission.wait_s() == pytest.approx(0.8 + 0.1)
        with pytest.raises(ProblemError) as refused, admission.places(5, 5_000_000):
            pass
    assert refused.value.status == 503
    assert admission.wait_s() == 0


def test_pixels_do_not_change_the_pace(admission, clock):
    done(admission, clock, 10, 1.0)
    with admission.places(10, 400_000_000):
        clock.now += 4.0
        done(admission, clock, 1, 1.0)  # which waited for the others
        clock.now += 4.0
    assert admission.seconds_a_photo == pytest.approx(0.1, rel=0.05)


def test_request_of_too_many_pixels_is_refused_for_good(admission):
    with admission.places(5, 500_000_000):
        pass
    with (
        pytest.raises(ProblemError, match="Send fewer at a time") as refused,
        admission.places(6, 500_000_001),
    ):
        pass
    assert refused.value.status == 413


@pytest.mark.parametrize("as_text", [False, True])
def test_pixels_are_those_of_the_header(as_text):
    padded = photo(0, 60, 80, exif=b"Exif\0\0" + bytes(60_001))
    contents = [photo(0, 90, 100, "PNG"), padded, photo(0)[:-20], b"GIF89a", b""]
    if as_text:
        contents = [base64.b64encode(one).decode() for one in contents]
    found = [num_pixels(one, 10_000) for one in contents]
    assert found == [9_000, 4_800, 0, 0, 0]
    assert num_pixels(contents[0], 8_999) == 0
    assert num_pixels("\xe4", 10_000) == 0


def test_photo_of_very_many_parts_counts_as_large_and_is_not_read():
    filled = b"\xff\xd8" + (b"\xff" * 1000 + b"\xfe\0\2") * 9000 + photo(0)[2:]
    for content in (filled, base64.b64encode(filled).decode()):
        start_s = time.process_time()
        assert num_pixels(content, 10_000) == 10_000
        assert time.process_time() - start_s < 0.5


def test_places_go_round_among_owners():
    async def work():
        places, order = FairPlaces(1), []
        await places.acquire("first")

        async def take(owner):
            await places.acquire(owner)
            order.append(owner)
            places.release()

        tasks = [asyncio.create_task(take(one)) for one in "aaabbc"]
        await asyncio.sleep(0)
        tasks[1].cancel()
        await asyncio.sleep(0)
        places.release()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.wait_for(places.acquire("last"), 1)
        return "".join(order)

    assert asyncio.run(work()) == "abcab"
