import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vpr_tf.geo import Positions, distances_m, nearest_m

EAST_M, NORTH_M = 548_000, 4_173_000


def on_plane(places_m, zone=10):
    zones = np.broadcast_to(np.asarray(zone), len(places_m))
    east_m, north_m = np.asarray(places_m, np.float64).reshape(-1, 2).T
    known = Positions.from_utm(
        east_m + EAST_M, north_m + NORTH_M, np.where(zones == 0, 10, zones)
    )
    return Positions(**{**vars(known), "utm_zone": zones.astype(np.int16)})


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([3, 300, 30_000]))
def test_nearest_distance_equals_that_of_all_pairs(seed, spread_m):
    generator = np.random.default_rng(seed)
    places = generator.uniform(-spread_m, spread_m, (30, 2))
    queries, places = on_plane(places[:8], [10] * 7 + [0]), on_plane(places[8:])
    rows = np.tile(np.arange(len(places)), (8, 1))
    all_pairs = distances_m(queries, places, rows)
    found = nearest_m(queries, places)
    np.testing.assert_allclose(found[:7], all_pairs[:7].min(axis=1))
    assert np.isnan(found[7])


def test_nearest_may_lie_across_the_border_of_a_zone():
    # 120 degrees west parts zone 10 and 11.
    west = Positions.from_lat_lon([37.0], [-120.00005])
    east = Positions.from_lat_lon([37.01, 37.0], [-120.0001, -119.99995])
    assert east.utm_zone.tolist() == [10, 11]
    assert nearest_m(west, east) == pytest.approx(8.9, abs=0.1)


def test_nearest_without_a_known_position():
    known, unknown = on_plane([[0, 0]]), on_plane([[0, 0]], 0)
    assert np.isnan(nearest_m(unknown, known))
    assert np.isnan(nearest_m(known, unknown))
    assert nearest_m(known, on_plane(np.empty((0, 2)))).shape == (1,)


def test_places_that_are_on_no_latitude_are_measured_on_their_plane():
    queries, places = on_plane([[0, 0], [0, 3e7]]), on_plane([[30, 3e7], [40, 0]])
    assert nearest_m(queries, places).tolist() == [40, 30]
