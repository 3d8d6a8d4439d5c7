import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.vpr_tf.localization.places import photos_in_plane
from vpr_tf.config import LocalizationConfig
from vpr_tf.localization.candidates import Candidates, find_clusters, match_weights
from vpr_tf.localization.errors import LocalizationError


def candidates_of(distances, east_m, config, **headings):
    photos = photos_in_plane(east_m, np.zeros(len(east_m)), **headings)
    rows = np.arange(len(east_m))[None]
    return Candidates.from_matches(np.array([distances]), rows, photos, config)


def test_match_weights():
    valid = np.array([[True, True, True, False]])
    weights = match_weights(np.array([[0.4, 0.5, 0.8, np.inf]]), valid, 0.25)
    # The range is 0.4: the gaps are 0, 1/4 and 1 of it.
    np.testing.assert_allclose(weights, [[1, np.exp(-1), np.exp(-4), 0]])


def test_match_weights_do_not_depend_on_the_scale_of_the_distances():
    distances = np.sort(np.random.default_rng(0).random((5, 9)))
    valid = np.ones((5, 9), bool)
    expected = match_weights(distances, valid, 0.25)
    np.testing.assert_allclose(match_weights(distances * 7, valid, 0.25), expected)


def test_equal_and_single_matches_weigh_1():
    valid = np.array([[True, True], [False, True], [False, False]])
    weights = match_weights(np.full((3, 2), 0.3), valid, 0.25)
    assert weights.tolist() == [[1, 1], [0, 1], [0, 0]]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6))
def test_cluster_is_the_one_with_the_largest_sum_of_weights(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 9))
    east_m = rng.integers(0, 60, n).astype(float)
    distances = np.sort(rng.random(n))
    config = LocalizationConfig(cluster_radius_m=12.5)
    candidates = candidates_of(distances, east_m, config)
    clusters = find_clusters(candidates, config)
    weights = match_weights(distances[None], np.ones((1, n), bool), 0.25)[0]
    sums = [weights[abs(east_m - east) <= 12.5].sum() for east in east_m]
    members = clusters.members[0]
    assert weights[members].sum() == pytest.approx(max(sums))
    centre = east_m[clusters.centre[0]]
    np.testing.assert_array_equal(members, abs(east_m - centre) <= 12.5)


def test_best_match_takes_the_cluster_around_the_first_photo():
    config = LocalizationConfig(method="best_match")
    candidates = candidates_of([0.1, 0.11, 0.12, 0.9], [0, 300, 310, 20], config)
    clusters = find_clusters(candidates, config)
    assert clusters.members.tolist() == [[True, False, False, True]]
    config = LocalizationConfig()
    clusters = find_clusters(candidates, config)
    assert clusters.members.tolist() == [[False, True, True, False]]


def test_of_equal_clusters_the_one_around_the_nearest_match_is_taken():
    config = LocalizationConfig()
    candidates = candidates_of([0.2, 0.2, 0.2, 0.2], [0, 500, 501, 1], config)
    assert find_clusters(candidates, config).members.tolist() == [[1, 0, 0, 1]]


def test_only_the_first_predictions_vote():
    config = LocalizationConfig(num_predictions=2)
    candidates = candidates_of([0.3, 0.1, 0.2], [0, 1, 2], config)
    assert candidates.photos.keys[candidates.rows].tolist() == [[b"1.jpg", b"2.jpg"]]


def test_matches_without_position_do_not_vote():
    photos = photos_in_plane([0, 0, 0], [0, 0, 0])
    photos.positions.utm_zone[1] = 0
    candidates = Candidates.from_matches(
        np.array([[0.1, 0.2, np.inf]]),
        np.array([[1, 0, -1]]),
        photos,
        LocalizationConfig(),
    )
    assert candidates.valid.tolist() == [[False, True, False]]


def test_matches_that_look_another_way_do_not_vote():
    photos = photos_in_plane([0] * 4, [0] * 4, heading_deg=[350, 45, 180, -1])
    arguments = (np.full((3, 4), 0.5), np.tile(np.arange(4), (3, 1)), photos)
    headings = np.array([10.0, -1.0, np.nan])
    config = LocalizationConfig(heading_tolerance_deg=30)
    valid = Candidates.from_matches(*arguments, config, headings).valid
    assert valid.tolist() == [[True, False, False, True], [True] * 4, [True] * 4]
    config = LocalizationConfig()
    assert Candidates.from_matches(*arguments, config, headings).valid.all()


def test_arrays_that_do_not_fit_are_refused():
    photos = photos_in_plane([0, 1], [0, 1])
    config = LocalizationConfig()
    with pytest.raises(LocalizationError, match=r"Received: \(1, 2\) and \(1, 1\)"):
        Candidates.from_matches(np.zeros((1, 2)), np.zeros((1, 1)), photos, config)
    with pytest.raises(LocalizationError, match="below 2, the number of photos"):
        Candidates.from_matches(np.zeros((1, 1)), np.array([[2]]), photos, config)
    with pytest.raises(LocalizationError, match="Received: NaN"):
        Candidates.from_matches(
            np.full((1, 1), np.nan), np.array([[0]]), photos, config
        )
