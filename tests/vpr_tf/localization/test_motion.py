"""Candidates of photos in a row, weighed by how fast a camera moves."""

import itertools

import numpy as np
import pytest

from vpr_tf.localization import LocalizationError, MotionModel, map_distances_m
from vpr_tf.localization.motion import forward_backward, track_shares

from .places import photos_in_plane, positions_at

MAP_M = np.linspace(0, 2000, 2001)
MOTION = MotionModel(max_speed_kmh=36.0)  # 10 m/s


def line(*east_m):
    """Returns places on a line, `(num_photos, n, 3)`."""
    east = np.asarray(east_m, float)
    return np.stack([east, np.zeros_like(east), np.zeros_like(east)], axis=-1)


def weigh(points, shares, seconds=1.0, motion=MOTION, map_m=MAP_M):
    steps = np.broadcast_to(np.asarray(seconds, float), (len(shares) - 1,))
    return track_shares(points, np.asarray(shares, float), steps, map_m, motion)


def test_forward_backward_sums_over_all_paths():
    rng = np.random.default_rng(0)
    emissions, steps = rng.random((5, 3)), rng.random((4, 3, 3))
    expected = np.zeros_like(emissions)
    for path in itertools.product(range(3), repeat=5):
        likelihood = emissions[np.arange(5), path].prod()
        likelihood *= steps[np.arange(4), path[:-1], path[1:]].prod()
        expected[np.arange(5), path] += likelihood
    expected /= expected.sum(axis=1, keepdims=True)
    found = forward_backward(emissions, lambda number: steps[number])
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_one_photo_keeps_its_shares():
    shares = np.array([[0.5, 0.2, 0.0]])
    found = weigh(line([0, 500, 900]), shares, seconds=[])
    np.testing.assert_allclose(found.shares[:, :3], shares)
    assert (found.photo == -1).all()


def test_the_candidate_that_the_camera_can_have_reached_wins():
    points = line([0, 900], [1500, 12], [20, 700], [1200, 34])
    shares = [[0.3, 0.35], [0.35, 0.3], [0.3, 0.35], [0.35, 0.3]]
    found = weigh(points, shares).shares[:, :2]
    assert found.argmax(axis=1).tolist() == [0, 1, 0, 1]
    assert (found.max(axis=1) > 0.8).all()


def test_the_same_places_with_more_time_are_less_sure():
    points = line([0, 900], [1500, 12], [20, 700])
    shares = [[0.3, 0.35], [0.35, 0.3], [0.3, 0.35]]
    quick, slow, unknown = (
        weigh(points, shares, seconds).shares[1, 1] for seconds in (1, 60, np.inf)
    )
    assert quick > slow > unknown


def test_a_faster_camera_is_let_jump():
    points = line([0, 3], [600, 3000], [1200, 3003])
    shares = [[0.4, 0.2], [0.4, 0.2], [0.4, 0.2]]
    slow = weigh(points, shares, 10.0).shares
    fast = weigh(points, shares, 10.0, MotionModel(300.0)).shares
    assert fast[1, 0] > slow[1, 0]


def test_a_photo_of_other_places_does_not_break_the_track():
    points = line([0, 900], [10, 500], [1500, 1900], [30, 800], [40, 600])
    shares = np.full((5, 2), [0.6, 0.1])
    shares[2] = 0.15
    found = weigh(points, shares)
    assert (found.shares[[0, 1, 3, 4], 0] > 0.9).all()
    assert found.shares[2, :2].sum() < 0.1
    # It was taken where its neighbours were.
    near = found.shares[2, 2:][np.isin(found.photo[2], (1, 3))]
    assert near.sum() > 0.3


def test_photos_outside_the_map_are_nowhere():
    rng = np.random.default_rng(1)
    points = line(*rng.uniform(3000, 90_000, (12, 3)))
    points[:4, 0, 0] = np.arange(4) * 10.0
    shares = np.full((12, 3), 0.1)
    shares[:4, 0] = 0.7
    nowhere = 1 - weigh(points, shares, map_m=MAP_M * 50).shares.sum(axis=1)
    assert (nowhere[:4] < 0.1).all()
    assert (nowhere[6:] > 0.5).all()


def test_equal_photos_count_once():
    points, shares = line([0, 900], [12, 1500]), np.array([[0.3, 0.3], [0.3, 0.3]])
    once = weigh(points, shares)
    again = weigh(points[[0, 0, 0, 1]], shares[[0, 0, 0, 1]])
    np.testing.assert_allclose(again.shares[[0, 3]], once.shares)
    np.testing.assert_allclose(again.shares[1], again.shares[0])


def test_photos_without_candidates_know_nothing_twice():
    found = weigh(np.zeros((4, 2, 3)), np.zeros((4, 2)))
    np.testing.assert_array_equal(found.shares, 0.0)


def test_thousands_of_photos_stay_finite():
    rng = np.random.default_rng(2)
    found = weigh(line(*rng.uniform(0, 2000, (3000, 3))), np.full((3000, 3), 0.1))
    assert np.isfinite(found.shares).all()
    assert (found.shares.sum(axis=1) <= 1 + 1e-9).all()


def test_distances_of_a_map():
    positions = photos_in_plane([0, 30, 0], [0, 0, 40]).positions
    np.testing.assert_allclose(map_distances_m(positions), [30, 40, 50], rtol=1e-3)
    unknown = positions_at([1.0, 1.0], [2.0, 2.0], known=False)
    assert len(map_distances_m(unknown)) == 0
    many = photos_in_plane(np.arange(5000), np.zeros(5000)).positions
    assert len(map_distances_m(many)) == 1000 * 999 // 2


@pytest.mark.parametrize("speed", [0, -3, 1001, np.nan])
def test_speeds_that_cannot_be(speed):
    with pytest.raises(LocalizationError, match="`max_speed_kmh` must be above 0"):
        MotionModel(speed)


def test_slack_that_cannot_be():
    with pytest.raises(LocalizationError, match="`slack_m` and `tail_m` must be"):
        MotionModel(slack_m=0)


@pytest.mark.parametrize("alone", [[0.9] * 10, [0.9] * 5 + [0.3] * 5, [0.9, 0.3, 0.9]])
def test_photos_of_other_days_say_nothing_about_each_other(alone):
    rng = np.random.default_rng(0)
    shares = np.zeros((len(alone), 20))
    shares[:, 0] = alone
    shares[:, 1:6] = 0.08 * (1 - shares[:, :1])
    found = track_shares(
        rng.uniform(0, 600, (len(alone), 20, 3)),
        shares,
        np.full(len(alone) - 1, np.inf),
        np.sort(rng.uniform(0, 800, 1000)),
        MotionModel(),
    )
    np.testing.assert_allclose(found.shares[:, 0], alone, atol=0.07)
