import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.vpr_tf.localization.places import (
    METRES_PER_DEGREE,
    estimate,
    photos_at,
    photos_in_plane,
    positions_at,
    supporting,
)
from vpr_tf.config import LocalizationConfig
from vpr_tf.localization.estimates import geometric_medians

CLUSTER = LocalizationConfig()


def locate(photos, distances=None, config=CLUSTER, **options):
    """Locates one query whose matches are all photos."""
    rows = np.arange(len(photos))[None]
    distances = np.full(rows.shape, 0.5) if distances is None else [distances]
    return estimate(np.array(distances), rows, photos, config, **options)


def test_position_is_where_most_matches_are():
    photos = photos_in_plane([0, 2, 4, 400, 900], [0, 0, 0, 0, 0])
    found = locate(photos, [0.30, 0.30, 0.30, 0.29, 0.9])
    assert found.utm_east_m[0] == pytest.approx(500_002, abs=0.02)
    assert found.utm_north_m[0] == pytest.approx(4_000_000, abs=0.02)
    assert found.utm_zone.tolist() == [10]
    assert supporting(found) == [0, 1, 2]
    assert found.localized.tolist() == [True]
    assert np.isnan(found.confidence[0])
    assert np.isnan(found.expected_error_m[0])


def test_best_match_is_where_the_first_prediction_is():
    photos = photos_in_plane([0, 2, 4, 400, 900], [0, 0, 0, 0, 0])
    config = LocalizationConfig(method="best_match")
    found = locate(photos, [0.30, 0.30, 0.30, 0.29, 0.9], config)
    assert found.utm_east_m[0] == pytest.approx(500_400, abs=0.001)
    assert supporting(found) == [3]


def test_queries_without_matches_have_no_position():
    photos = photos_in_plane([0, 0], [0, 0])
    photos.positions.utm_zone[1] = 0
    rows = np.array([[-1, -1], [1, -1], [0, 1]])
    found = estimate(np.where(rows < 0, np.inf, 0.5), rows, photos, CLUSTER)
    assert found.localized.tolist() == [False, False, True]
    assert np.isnan(found.latitude_deg).tolist() == [True, True, False]
    assert found.utm_zone.tolist() == [0, 0, 10]
    assert [supporting(found, query) for query in range(3)] == [[], [], [0]]
    assert found.num_votes.tolist() == [0, 0, 1]
    truth = photos_in_plane([3, 3, 3], [4, 4, 4]).positions
    np.testing.assert_allclose(found.errors_m(truth), [np.nan, np.nan, 5], atol=0.02)


@pytest.mark.parametrize("shape", [(0, 3), (2, 0)])
def test_no_queries_and_no_predictions(shape):
    photos = photos_in_plane([0], [0])
    rows = np.zeros(shape, np.int64)
    found = estimate(np.zeros(shape), rows, photos, CLUSTER)
    assert found.localized.tolist() == [False] * shape[0]


def test_no_photos():
    photos = photos_in_plane([], [])
    rows = np.full((2, 3), -1)
    found = estimate(np.full((2, 3), np.inf), rows, photos, CLUSTER)
    assert not found.localized.any()


@pytest.mark.parametrize(
    ("latitude", "longitude"),
    [
        ([-17.0, -17.0], [179.9999, -179.9999]),  # Fiji
        ([50.0, 50.0], [5.99995, 6.00005]),  # zones 31 and 32
        ([-33.9, -33.9], [-66.00005, -65.99995]),  # zones 19 and 20, south
        ([-0.00005, 0.00005], [30.5, 30.5]),  # both hemispheres
        ([-0.00005, 0.00005], [179.99995, -179.99995]),  # all at once
        ([60.0, 60.0], [2.9999, 3.0001]),  # the wide zone of Norway
    ],
)
def test_position_lies_between_photos_on_both_sides_of_a_border(latitude, longitude):
    places = positions_at(latitude, longitude)
    assert len(set(places.utm_zone.tolist())) == 2
    found = locate(photos_at(places))
    assert len(supporting(found)) == 2
    assert found.latitude_deg[0] == pytest.approx(np.mean(latitude), abs=1e-6)
    middle = longitude[0] + ((longitude[1] - longitude[0] + 180) % 360 - 180) / 2
    off = (found.longitude_deg[0] - middle + 180) % 360 - 180
    assert off == pytest.approx(0, abs=1e-6)
    assert -180 <= found.longitude_deg[0] <= 180
    assert found.utm_zone[0] in places.utm_zone
    truth = positions_at([np.mean(latitude)], [middle])
    assert found.errors_m(truth)[0] < 0.05


def test_photos_on_the_other_side_of_the_earth_are_not_near():
    # The same numbers in two zones, and places that UTM of a far zone folds together.
    photos = photos_in_plane([0, 0, 0, 0], [0] * 4)
    photos.positions.utm_zone[:] = [10, 40, -10, 40]
    found = locate(photos)
    assert len(supporting(found)) == 2
    assert found.utm_zone.tolist() == [40]


plane = st.lists(
    st.tuples(st.integers(0, 8000), st.integers(0, 8000), st.floats(0.1, 2)),
    min_size=1,
    max_size=20,
)


@settings(max_examples=50, deadline=None)
@given(plane, st.integers(-9000_00, 9000_00), st.integers(-9000_00, 9000_00))
def test_moving_all_photos_moves_the_position_as_far(matches, east_cm, north_cm):
    east, north, distances = np.array(matches).T
    distances = np.sort(distances)
    config = LocalizationConfig(cluster_radius_m=1000.0)
    at_first = locate(photos_in_plane(east / 100, north / 100), distances, config)
    moved = photos_in_plane((east + east_cm) / 100, (north + north_cm) / 100)
    then = locate(moved, distances, config)
    # UTM's scale differs by 2e-6 over 9 km; photos lie within 113 m of each other.
    off_m = then.utm_east_m - at_first.utm_east_m - east_cm / 100
    assert abs(off_m[0]) < 0.02
    off_m = then.utm_north_m - at_first.utm_north_m - north_cm / 100
    assert abs(off_m[0]) < 0.02


@settings(max_examples=50, deadline=None)
@given(plane, st.randoms(use_true_random=False))
def test_order_of_equal_matches_changes_nothing(matches, random):
    east, north, distances = np.array(matches).T
    distances = np.round(np.sort(distances), 1)  # many are equal
    photos = photos_in_plane(east / 100, north / 100)
    columns = list(range(len(east)))
    random.shuffle(columns)
    columns.sort(key=lambda column: distances[column])
    rows = np.arange(len(east))[None]
    expected = estimate(distances[None], rows, photos, CLUSTER)
    found = estimate(distances[None, columns], rows[:, columns], photos, CLUSTER)
    for name in ("latitude_deg", "longitude_deg", "members", "features"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    assert supporting(found) == supporting(expected)


@settings(max_examples=50, deadline=None)
@given(st.integers(3, 19), st.floats(100, 1e5), st.integers(0, 10**6))
def test_one_far_photo_does_not_move_the_position(num_near, far_m, seed):
    rng = np.random.default_rng(seed)
    east = np.append(rng.uniform(-8, 8, num_near), far_m)
    photos = photos_in_plane(east, np.zeros(num_near + 1))
    distances = np.append(rng.uniform(0.30, 0.31, num_near), 0.3)
    with_far = locate(photos, distances, LocalizationConfig(similarity_scale=10))
    near = np.arange(num_near)
    without = locate(photos.take(near), distances[:-1], LocalizationConfig())
    assert abs(with_far.utm_east_m - without.utm_east_m)[0] < 16
    assert num_near not in supporting(with_far)
    low, high = east[near].min(), east[near].max()
    assert low - 0.01 <= with_far.utm_east_m[0] - 500_000 <= high + 0.01


@settings(max_examples=50, deadline=None)
@given(plane)
def test_position_lies_in_the_hull_of_the_supporting_photos(matches):
    east, north, distances = np.array(matches).T / [[100], [100], [1]]
    found = locate(photos_in_plane(east, north), np.sort(distances))
    members = supporting(found)
    at = np.array([found.utm_east_m[0] - 5e5, found.utm_north_m[0] - 4e6])
    for angle in np.linspace(0, np.pi, 13):
        direction = np.array([np.cos(angle), np.sin(angle)])
        along = np.stack([east, north], axis=1)[members] @ direction
        assert along.min() - 0.02 <= at @ direction <= along.max() + 0.02


def test_many_queries_give_what_each_gives_alone():
    rng = np.random.default_rng(0)
    photos = photos_in_plane(rng.uniform(0, 300, 50), rng.uniform(0, 300, 50))
    rows = np.stack([rng.permutation(50)[:20] for _ in range(40)])
    rows[::7, 12:] = -1
    distances = np.sort(rng.random((40, 20)), axis=1)
    together = estimate(distances, rows, photos, CLUSTER)
    for query in range(0, 40, 3):
        part = slice(query, query + 1)
        alone = estimate(distances[part], rows[part], photos, CLUSTER)
        assert alone.latitude_deg[0] == together.latitude_deg[query]
        assert supporting(alone) == supporting(together, query)


def test_blocks_of_queries_give_the_same(monkeypatch):
    rng = np.random.default_rng(1)
    photos = photos_in_plane(rng.uniform(0, 300, 50), rng.uniform(0, 300, 50))
    rows = rng.integers(0, 50, (9, 4))
    distances = np.sort(rng.random((9, 4)), axis=1)
    expected = estimate(distances, rows, photos, CLUSTER)
    monkeypatch.setattr("vpr_tf.localization.candidates._PAIRS_PER_BLOCK", 40)
    found = estimate(distances, rows, photos, CLUSTER)
    np.testing.assert_array_equal(found.latitude_deg, expected.latitude_deg)


def test_heading_is_the_circular_mean_of_the_supporting_photos():
    photos = photos_in_plane([0, 1, 2, 900], [0] * 4, heading_deg=[350, 30, -1, 180])
    found = locate(photos)
    assert found.heading_deg[0] == pytest.approx(10)
    photos = photos_in_plane([0, 1], [0, 0], heading_deg=[0, 180])
    assert locate(photos).heading_deg.tolist() == [-1]
    assert locate(photos_in_plane([0], [0])).heading_deg.tolist() == [-1]


def test_headings_keep_matches_that_look_another_way_out():
    photos = photos_in_plane([0, 1, 500], [0] * 3, heading_deg=[180, 190, 5])
    config = LocalizationConfig(heading_tolerance_deg=45)
    assert supporting(locate(photos, config=config)) == [0, 1]
    found = locate(photos, config=config, query_heading_deg=np.array([0.0]))
    assert supporting(found) == [2]
    found = locate(photos, config=config, query_heading_deg=np.array([90.0]))
    assert found.localized.tolist() == [False]


def test_features():
    photos = photos_in_plane([0, 300, 302], [0] * 3)
    found = locate(photos, [0.2, 0.3, 0.4], LocalizationConfig(similarity_scale=2))
    weights = np.exp([0, -0.25, -0.5])
    share = weights[1:].sum() / weights.sum()
    np.testing.assert_allclose(found.features, [[0.85, -0.05, share]], rtol=1e-6)
    found = locate(photos.take(np.arange(1, 3)), [0.3, 0.4])
    np.testing.assert_allclose(found.features, [[0.85, 0.05, 1]], rtol=1e-6)


def test_metres_per_degree_are_those_of_the_position():
    places = positions_at([0.0, 0.0], [30.0, 30.0 + 20 / METRES_PER_DEGREE])
    found = locate(photos_at(places))
    assert (found.longitude_deg[0] - 30) * METRES_PER_DEGREE == pytest.approx(
        10, abs=0.02
    )


def test_geometric_median_minimizes_the_sum_of_distances():
    from scipy.optimize import minimize

    rng = np.random.default_rng(3)
    points = rng.normal(size=(6, 7, 3)) * 10 + 6e6
    weights = rng.random((6, 7))
    medians = geometric_medians(points, weights)
    for query in range(6):

        def total(offset, q=query):
            metres = np.linalg.norm(points[q] - points[q, 0] - offset, axis=1)
            return (weights[q] * metres).sum()

        best = minimize(total, np.zeros(3), method="Nelder-Mead", tol=1e-9).fun
        found = total(medians[query] - points[query, 0])
        assert found == pytest.approx(best, rel=1e-4)


def test_geometric_median_stays_where_most_of_the_weight_is():
    points = np.array([[[0.0, 0, 0], [1, 0, 0], [-1, 0, 0], [1000, 0, 0]]])
    median = geometric_medians(points, np.ones((1, 4)))
    assert abs(median[0, 0]) < 1.001
    heavy = geometric_medians(points, np.array([[9.0, 1, 1, 1]]))
    np.testing.assert_allclose(heavy, 0, atol=0.01)
